"""Recovery codes: ten saved codes of 80 random bits, each good once; kept as hashes."""

from collections.abc import Sequence
from hashlib import sha256

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, entropy
from idp.accounts.tables import Factor
from idp.audit import log
from idp.audit.events import Event
from idp.notices import outbox
from idp.signals import credentials

RECOVERY_CODES = 10


def first(db: Db, account_id: str) -> list[str]:
    """Return recovery codes for an account that has none left; nothing otherwise."""
    return [] if recovery_left(db, account_id) else make_recovery_codes(db, account_id)


def make_recovery_codes(db: Db, account_id: str) -> list[str]:
    """Make ten new recovery codes (80 random bits each); older ones stop working. Shown once, kept as hashes."""
    now = clock.now()
    db.execute(
        update(Factor)
        .where(col(Factor.account_id) == account_id, col(Factor.kind) == "recovery", col(Factor.ended_at).is_(None))
        .values(ended_at=now)
    )
    codes = [entropy.new_id("x")[2:18] for _ in range(RECOVERY_CODES)]
    for code in codes:
        db.add(Factor(account_id=account_id, kind="recovery", secret=_hash(code), confirmed_at=now))
    db.flush()
    event = Event("accounts.factor.added", account=account_id, details={"kind": "recovery", "n": len(codes)})
    log.record(db, event)
    credentials.changed(db, account_id, "recovery", "create")
    outbox.send(db, account_id, "recovery_codes_made", {})
    return ["-".join(code[n : n + 4] for n in range(0, 16, 4)) for code in codes]


def recovery_left(db: Db, account_id: str) -> int:
    """Return how many recovery codes are unused."""
    return len(_recovery(db, account_id))


def _recovery(db: Db, account_id: str) -> Sequence[Factor]:
    return db.exec(
        select(Factor).where(
            col(Factor.account_id) == account_id, col(Factor.kind) == "recovery", col(Factor.ended_at).is_(None)
        )
    ).all()


def _hash(code: str) -> bytes:
    return sha256(code.encode()).digest()


def spend(db: Db, account_id: str, typed: str) -> bool:
    """Spend one code, once; the person is told on every address."""
    spent = db.execute(
        update(Factor)
        .where(
            col(Factor.account_id) == account_id,
            col(Factor.kind) == "recovery",
            col(Factor.secret) == _hash(typed.lower()),
            col(Factor.ended_at).is_(None),
        )
        .values(ended_at=clock.now())
    )
    assert isinstance(spent, CursorResult)
    if spent.rowcount != 1:
        return False
    outbox.send(db, account_id, "recovery_code_used", {"left": recovery_left(db, account_id)})
    return True
