"""Write the mailed codes of recovery: apart from the request that asked, so that its time tells nothing."""

from datetime import timedelta

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, func, select

from idp import clock, configuration, entropy
from idp.accounts import people
from idp.accounts.proof_tables import Recovery
from idp.accounts.recovery import code_hash
from idp.database import Database, transaction
from idp.notices import outbox

DIGITS = 8
MOST_IN_AN_HOUR = 5
"""Mails an account gets from browsers it does not know; a known one is never kept waiting by strangers."""
BATCH = 50


def send(database: Database) -> bool:
    """Mail a code for each attempt that asked for one; return whether more wait."""
    with transaction(database) as db:
        due = db.exec(
            select(Recovery.id)
            .where(
                col(Recovery.code_wanted_at).is_not(None),
                col(Recovery.code_expires_at).is_(None),
                col(Recovery.account_id).is_not(None),
                col(Recovery.expires_at) > clock.now(),
            )
            .order_by(col(Recovery.code_wanted_at))
            .limit(BATCH)
        ).all()
    for recovery_id in due:
        with transaction(database) as db:
            _one(db, recovery_id)
    return len(due) == BATCH


def _one(db: Db, recovery_id: str) -> None:
    row = db.get(Recovery, recovery_id)
    assert row is not None
    assert row.account_id is not None
    now = clock.now()
    code = entropy.digits(DIGITS)
    addresses = tuple(one.email for one in people.contacts(db, row.account_id) if one.verified_at is not None)
    sending = bool(addresses) and (row.known_device or _sent_lately(db, row.account_id) < MOST_IN_AN_HOUR)
    claimed = db.execute(
        update(Recovery)
        .where(col(Recovery.id) == recovery_id, col(Recovery.code_expires_at).is_(None))
        .values(
            code_hash=code_hash(db, recovery_id, code) if sending else None,
            code_expires_at=now + configuration.current(db).clocks.mailed_code,
        )
    )
    assert isinstance(claimed, CursorResult)
    if claimed.rowcount == 1 and sending:
        outbox.send(db, row.account_id, "recovery_code", {"code": f"{code[:4]} {code[4:]}"}, to=addresses)


def _sent_lately(db: Db, account_id: str) -> int:
    since = clock.now() - timedelta(hours=1)
    query = select(func.count()).where(
        col(Recovery.account_id) == account_id,
        col(Recovery.code_expires_at).is_not(None),
        col(Recovery.code_wanted_at) > since,
    )
    return int(db.exec(query).one())
