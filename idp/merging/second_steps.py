"""Second steps when two accounts become one: passkeys come along and go on working, the rest honestly ends.

A passkey answers with the account it was made for; `passkeys.verify` follows `merged_into` from there. Codes of the
closed account's app and its recovery codes end, so that one set of codes is left; undoing gives them back.
"""

from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts.tables import Factor
from idp.audit import log
from idp.audit.events import Event
from idp.signals import epochs


def move(db: Db, *, source: str, target: str) -> dict[str, Any]:
    """Move the passkeys, end the other second steps; return the ids of both for the undoing."""
    moved: dict[str, Any] = {"passkeys": [], "factors_ended": []}
    for one in db.exec(select(Factor).where(col(Factor.account_id) == source, col(Factor.ended_at).is_(None))).all():
        if one.kind == "passkey" and one.confirmed_at is not None:
            one.account_id = target
            moved["passkeys"].append(one.id)
        else:
            one.ended_at = clock.now()
            moved["factors_ended"].append(one.id)
        db.add(one)
    db.flush()
    _recorded(db, source, target, moved["passkeys"])
    return moved


def move_back(db: Db, moved: dict[str, Any], *, source: str, target: str) -> None:
    """Give back what is still there: passkeys not removed since, and the codes that ended with the merge."""
    back = []
    for factor_id in moved.get("passkeys", []):
        one = db.get(Factor, factor_id)
        if one is not None and one.account_id == source and one.ended_at is None:
            one.account_id = target
            db.add(one)
            back.append(one.id)
    for factor_id in moved.get("factors_ended", []):
        one = db.get(Factor, factor_id)
        if one is not None and one.account_id == target:
            one.ended_at = None
            db.add(one)
    db.flush()
    _recorded(db, source, target, back)


def _recorded(db: Db, source: str, target: str, passkeys: list[str]) -> None:
    for account_id in (source, target):
        epochs.changed_account(db, account_id, takes_away=True)
    if passkeys:
        details = {"from": source, "factors": passkeys}
        log.record(db, Event("accounts.factor.moved", account=target, details=details))
