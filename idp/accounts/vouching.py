"""An access manager's word for somebody who lost their second step: asked for, given, and usable after a wait.

The word is one proof of two. It waits a day, in which every address of the person is told and one link stops it
(docs/decisions/0012-second-steps-and-getting-back-in.md).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, text, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts.proof_tables import Recovery, Vouching
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Conflict, NotEntitled
from idp.notices import outbox

GOOD_FOR = timedelta(days=7)
# Appointments and affiliations belong to higher layers; only the ids are read here, by name.
_MANAGERS = text(
    "SELECT DISTINCT m.account_id FROM affiliation f JOIN appointment m ON m.provider_id = f.provider_id "
    "WHERE f.account_id = :a AND f.ended_at IS NULL AND f.starts_at <= :now "
    "AND (f.ends_at IS NULL OR f.ends_at > :now) "
    "AND m.account_id <> :a AND m.ended_at IS NULL AND m.starts_at <= :now AND (m.ends_at IS NULL OR m.ends_at > :now)"
)


@dataclass(frozen=True, slots=True)
class Word:
    """A manager's word that was neither used nor stopped."""

    id: str
    usable_from: datetime

    @property
    def usable(self) -> bool:
        """Say whether the wait is over."""
        return clock.now() >= self.usable_from


def ask(db: Db, account_id: str) -> int:
    """Tell the access managers of this person's practices that they are asked; return how many there are."""
    rows = db.execute(_MANAGERS, {"a": account_id, "now": clock.micros(clock.now())}).all()
    for (manager,) in rows:
        outbox.send(db, str(manager), "recovery_asked", {})
    return len(rows)


def wanted(db: Db, account_id: str) -> bool:
    """Say whether this person gave one proof and asked for a manager's word."""
    return (
        db.exec(
            select(Recovery.id).where(
                col(Recovery.account_id) == account_id,
                col(Recovery.manager_wanted_at).is_not(None),
                col(Recovery.finished_at).is_(None),
                col(Recovery.stopped_at).is_(None),
                col(Recovery.expires_at) > clock.now(),
            )
        ).first()
        is not None
    )


def vouch(db: Db, account_id: str, provider_id: str, *, by: str) -> Word:
    """Give a word for a person of one's practice, who asked for it. The caller has asked the decision.

    Raises NotEntitled for oneself, Conflict where nobody asked or a word was given already.
    """
    if by == account_id:
        raise NotEntitled("Nobody vouches for themselves. Ask another access manager.")
    if not wanted(db, account_id):
        raise Conflict("This person has not asked for it, or it was stopped. They ask at “Can't sign in?”.")
    if of_account(db, account_id) is not None:
        raise Conflict("Somebody has vouched for this person already.")
    now = clock.now()
    usable = now + configuration.current(db).clocks.recovery_wait
    row = Vouching(
        account_id=account_id, provider_id=provider_id, vouched_by=by, usable_from=usable, expires_at=usable + GOOD_FOR
    )
    db.add(row)
    db.flush()
    event = Event("accounts.recovery.vouched", account=account_id, provider=provider_id, details={"by": by})
    log.record(db, event)
    outbox.send(db, account_id, "recovery_vouched", {"hours": int((usable - now).total_seconds() // 3600)})
    return Word(row.id, usable)


def of_account(db: Db, account_id: str) -> Word | None:
    """Return the word that may serve this person now or after its wait."""
    row = db.exec(
        select(Vouching)
        .where(
            col(Vouching.account_id) == account_id,
            col(Vouching.spent_at).is_(None),
            col(Vouching.ended_at).is_(None),
            col(Vouching.expires_at) > clock.now(),
        )
        .order_by(col(Vouching.usable_from))
    ).first()
    return Word(row.id, row.usable_from) if row else None


def spend(db: Db, word: Word) -> bool:
    """Use a word up, once."""
    spent = db.execute(
        update(Vouching)
        .where(
            col(Vouching.id) == word.id,
            col(Vouching.spent_at).is_(None),
            col(Vouching.ended_at).is_(None),
            col(Vouching.usable_from) <= clock.now(),
        )
        .values(spent_at=clock.now())
    )
    assert isinstance(spent, CursorResult)
    return spent.rowcount == 1


def end_all(db: Db, account_id: str) -> None:
    """End every word for a person that was not used."""
    db.execute(
        update(Vouching)
        .where(
            col(Vouching.account_id) == account_id, col(Vouching.spent_at).is_(None), col(Vouching.ended_at).is_(None)
        )
        .values(ended_at=clock.now())
    )
