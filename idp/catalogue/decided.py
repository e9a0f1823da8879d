"""Whom a change of the catalogue really touches: the whole decision for each affected person, now and then.

What a request brings along (purpose, record, strength) is nobody's standing and is left out, as in "who could".
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlmodel import Session

from idp.catalogue.impact import Affected
from idp.database.lane import drive
from idp.entitlements import facts
from idp.entitlements.before import before
from idp.entitlements.coulds import STANDING
from idp.entitlements.decision import decide
from idp.entitlements.facts import Facts
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


def by_function(db: Session, key: str, change: Mapping[str, Any], affected: Iterable[Affected]) -> list[Affected]:
    """Return whom a function's next version touches by the decision: who could use it, and who could then."""
    db.flush()
    memo = Memo()
    values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in change.items()}
    found = []
    for one in affected:
        known = _facts(db, one, key, (), memo)
        had = decide(known, STANDING).allowed
        then = None if known.function is None else replace(known.function, **values)
        has = decide(replace(known, function=then), STANDING).allowed
        gains, loses = (has and not had), (had and not has)
        found.append(
            replace(
                one,
                gains=(key,) if gains else (),
                loses=(key,) if loses else (),
                stays_out=one.gains if not has else (),
                idle=one.loses if not had else (),
                note=one.note if has else "",
            )
        )
    return [one for one in found if one.gains or one.loses or one.stays_out or one.idle or one.note]


def by_withholding(db: Session, affected: Iterable[Affected]) -> list[Affected]:
    """Return who loses what when functions are kept from a practice: what they could not use anyway, apart."""
    db.flush()
    memo = Memo()
    found = []
    for one in affected:
        loses = tuple(key for key in one.loses if _could(db, one, key, (), memo))
        found.append(replace(one, loses=loses, idle=tuple(key for key in one.loses if key not in loses)))
    return found


def _could(db: Session, one: Affected, key: str, supposes: tuple[Supposition, ...], memo: Memo) -> bool:
    return decide(_facts(db, one, key, supposes, memo), STANDING).allowed


def _facts(db: Session, one: Affected, key: str, supposes: tuple[Supposition, ...], memo: Memo) -> Facts:
    app = replace(OURSELVES, lines=(one.line,))
    question = Question(one.account_id, key, one.provider_id, app, line=one.line, supposes=supposes)
    known = drive(db, before(one.account_id, None))
    work = facts.gather(question, known, None if supposes else memo)
    found: Facts = drive(db, supposed(work, question) if supposes else work)
    return found
