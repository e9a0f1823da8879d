"""Whom a job's next version really touches: the whole decision for each affected person, as it is and as it would be.

What a request brings along (purpose, record, strength) is nobody's standing and is left out, as in "who could".
"""

from collections.abc import Iterable
from dataclasses import replace

from sqlmodel import Session

from idp.catalogue.impact import Affected
from idp.database.lane import drive
from idp.entitlements import facts
from idp.entitlements.before import before
from idp.entitlements.coulds import STANDING
from idp.entitlements.decision import decide
from idp.entitlements.memo import Memo
from idp.entitlements.question import OURSELVES, Question, Supposition
from idp.entitlements.supposing import supposed


def decided(db: Session, bundle: str, affected: Iterable[Affected]) -> list[Affected]:
    """Return who gains and loses by the decision: what somebody keeps by another grant, or could not use, apart."""
    db.flush()
    memo = Memo()
    return [_decided(db, bundle, one, memo) for one in affected]


def _decided(db: Session, bundle: str, one: Affected, memo: Memo) -> Affected:
    change = {"with": list(one.gains), "without": list(one.loses)}
    after = (Supposition("bundle", bundle, change),)
    gains: list[str] = []
    out = list(one.stays_out)
    for key in one.gains:
        (gains if _could(db, one, key, after, memo) else out).append(key)
    loses: list[str] = []
    keeps: list[str] = []
    idle: list[str] = []
    for key in one.loses:
        if _could(db, one, key, after, memo):
            keeps.append(key)
        elif _could(db, one, key, (), memo):
            loses.append(key)
        else:
            idle.append(key)
    return replace(
        one,
        gains=tuple(gains),
        loses=tuple(loses),
        stays_out=tuple(sorted(out)),
        keeps=tuple(keeps),
        idle=tuple(idle),
    )


def _could(db: Session, one: Affected, key: str, supposes: tuple[Supposition, ...], memo: Memo) -> bool:
    app = replace(OURSELVES, lines=(one.line,))
    question = Question(one.account_id, key, one.provider_id, app, line=one.line, supposes=supposes)
    known = drive(db, before(one.account_id, None))
    work = facts.gather(question, known, None if supposes else memo)
    found = drive(db, supposed(work, question) if supposes else work)
    return decide(found, STANDING).allowed
