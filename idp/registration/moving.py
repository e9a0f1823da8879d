"""Applications that wait when two accounts become one, or when one is taken apart."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.audit import log
from idp.audit.events import Event
from idp.providers import affiliations
from idp.registration import practices, waiting
from idp.registration.tables import Application, FirstManagerClaim, Invitation


def move(db: Db, *, source: str, target: str, reason: str) -> list[str]:
    """Give an account's waiting applications to another; one it does not need ends. Returns the ids moved.

    Not needed: the other account waits for the same practice itself, or works there already.
    """
    mine = {one.tin_hash for one in _waiting(db, target)}
    moved = []
    for one in _waiting(db, source):
        if one.tin_hash in mine or _works_there(db, one, target):
            waiting.end(db, one.id, account_id=source, reason=reason)
            continue
        _give(db, one, target)
        moved.append(one.id)
    return moved


def invitations(db: Db, *, source: str, target: str, only: Collection[str] | None = None) -> list[str]:
    """Make open invitations that name one account (`only` these of them) good for another; return their ids."""
    named = db.exec(
        select(Invitation).where(
            col(Invitation.account_id) == source,
            col(Invitation.spent_at).is_(None),
            col(Invitation.ended_at).is_(None),
        )
    ).all()
    found = [one for one in named if only is None or one.id in only]
    for one in found:
        one.account_id = target
        db.add(one)
    db.flush()
    return [one.id for one in found]


def move_back(db: Db, ids: Iterable[str], *, source: str, target: str) -> None:
    """Give back what still waits."""
    mine = {one.tin_hash for one in _waiting(db, target)}
    for one in _waiting(db, source):
        if one.id in set(ids) and one.tin_hash not in mine:
            _give(db, one, target)


def end_since(db: Db, account_id: str, since: datetime, *, reason: str) -> list[str]:
    """Take back what was sent since a moment: nobody can say for certain who sent it. Returns the ids."""
    sent = [one.id for one in _waiting(db, account_id) if one.created_at >= since]
    for one in sent:
        waiting.end(db, one, account_id=account_id, reason=reason)
    return sent


def _waiting(db: Db, account_id: str) -> list[Application]:
    return list(
        db.exec(
            select(Application)
            .where(col(Application.account_id) == account_id, col(Application.status) == "submitted")
            .order_by(col(Application.created_at), col(Application.id))
        )
    )


def _works_there(db: Db, application: Application, account_id: str) -> bool:
    provider = practices.provider_of(db, application.tin_hash)
    return provider is not None and affiliations.current(db, account_id, provider.id) is not None


def _give(db: Db, application: Application, target: str) -> None:
    before, application.account_id = application.account_id, target
    db.add(application)
    for claim in db.exec(
        select(FirstManagerClaim).where(col(FirstManagerClaim.application_id) == application.id)
    ).all():
        claim.account_id = target
        db.add(claim)
    db.flush()
    details = {"application": application.id, "from": before}
    log.record(db, Event("registration.application.moved", account=target, details=details))
