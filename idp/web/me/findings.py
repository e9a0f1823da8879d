"""What the security desk found about a person and how to appeal, on their own home page (SE-3)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import humans
from idp.cases import appeals, telling, words
from idp.cases.tables import SecurityCase


@dataclass(frozen=True, slots=True)
class Found:
    """One decision the person was told of and can still appeal against, or did."""

    reference: str
    what: str
    until: datetime
    appeal: str
    """Address of the appeal's page; empty once they appealed."""
    outcome: str
    """How the appeal ended; empty while nobody decided it, or without one."""


def of_person(db: Db, account_id: str) -> list[Found]:
    """Return the decisions of the last weeks that a person was told of, newest first; never one that waits."""
    return sorted(_told(db, account_id), key=lambda one: one.until, reverse=True)


def _told(db: Db, account_id: str) -> Iterator[Found]:
    cases = db.exec(
        select(SecurityCase).where(
            col(SecurityCase.account_id).in_(humans.same(db, account_id)),
            col(SecurityCase.decision).is_not(None),
            col(SecurityCase.told_at).is_not(None),
        )
    ).all()
    for case in cases:
        until, appeal = telling.appeal_until(db, case), appeals.of_case(db, case.id)
        if clock.now() >= until and (appeal is None or appeal.decided_at is not None):
            continue
        link = "" if appeal is not None else f"/report/appeal/{telling.appeal_token(db, case)}"
        outcome = appeals.OUTCOMES[appeal.outcome] if appeal is not None and appeal.outcome else ""
        won = appeal is not None and appeal.outcome == "overturned"
        what = "We had found something against you." if won else words.DECIDED[case.decision or ""]
        yield Found(case.reference, what, until, link, outcome)
