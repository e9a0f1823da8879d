"""Open a case, or add to the one that is open: one for each account and kind."""

import base64
from collections.abc import Mapping
from dataclasses import asdict
from math import exp
from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, entropy
from idp.audit import leaf
from idp.cases import file, questions, urgency
from idp.cases.finding import BANDS, Finding
from idp.cases.tables import OPEN, SecurityCase
from idp.database.inserting import insert_unless_there
from idp.leaving import people

_NOTICE, _URGENT = BANDS[0], BANDS[2]


def open_from_finding(db: Db, finding: Finding) -> SecurityCase:
    """Open a case for a finding of the detector, or add it to the open one; return the case.

    A `notice` only asks the person, privately. A `case` goes to the desk. `containment` also ends what the account
    has open, so that the next use begins with a sign-in; no finding ever takes an entitlement away.
    """
    return open_case(
        db,
        kind=finding.kind,
        source="finding",
        account_id=finding.account_id,
        evidence=_told(finding),
        band=finding.band,
        score=shown(finding.score),
    )


def open_case(
    db: Db,
    *,
    kind: str,
    source: str,
    account_id: str | None,
    evidence: Mapping[str, Any],
    by: str = "system",
    band: str = "",
    score: int | None = None,
) -> SecurityCase:
    """Open a case with its first evidence, or add the evidence to the account's open case of this kind.

    The evidence is plain JSON values and is kept as it is. Without an account each call opens a case of its own.
    """
    case, new = _found_or_made(db, kind=kind, source=source, account_id=account_id, by=by)
    told = {"source": source, "kind": case.kind, "band": band}
    file.write(db, case, "opened" if new else "added", {"source": source, "evidence": dict(evidence)}, by=by, tell=told)
    _rise(db, case, source, band, score)
    return case


def under_way(db: Db, account_id: str, kind: str) -> SecurityCase | None:
    """Return the account's open case of a kind, held against other changes, or None."""
    found = db.exec(
        select(SecurityCase.id).where(
            col(SecurityCase.account_id) == account_id,
            col(SecurityCase.kind) == kind,
            col(SecurityCase.status).in_(OPEN),
        )
    ).one_or_none()
    if found is None:
        return None
    case = file.hold(db, found)
    return case if case.status in OPEN else None  # decided while we waited for it


def shown(log_odds: float) -> int:
    """Show log-odds as a probability from 0 to 100, as pages do."""
    return round(100 / (1 + exp(-max(-30.0, min(30.0, log_odds)))))


def _found_or_made(db: Db, *, kind: str, source: str, account_id: str | None, by: str) -> tuple[SecurityCase, bool]:
    while True:
        case = under_way(db, account_id, kind) if account_id else None
        if case is not None:
            return case, False
        # A private question until something else is known: what came says in `_rise` how far it goes.
        status = "question" if source == "finding" else "new"
        made = SecurityCase(
            reference=_reference(), kind=kind, source=source, account_id=account_id, status=status, opened_by=by
        )
        if status == "new":
            made.triage_due_at = urgency.triage_due(db)
        if insert_unless_there(db, SecurityCase, made.model_dump()):
            return file.hold(db, made.id), True


def _rise(db: Db, case: SecurityCase, source: str, band: str, score: int | None) -> None:
    """Take a case as far as what came asks for; it never goes back.

    What anybody but the detector says is never left to a private question: whoever sits in the account answers that.
    """
    if source != "finding":
        urgency.to_desk(db, case)
    if score is not None:
        case.score = score
    if band and (not case.band or BANDS.index(band) > BANDS.index(case.band)):
        case.band = band
        if band == _NOTICE and case.status == "question":
            questions.ask_person(db, case, by="system")
        if band != _NOTICE:
            urgency.to_desk(db, case)
        if band == _URGENT:
            urgency.soon(db, case)
            contain(db, case, by="system")
    db.add(case)
    db.flush()


def contain(db: Db, case: SecurityCase, *, by: str) -> None:
    """End what the account has open; it signs in anew, with every entitlement it had. Those concerned hear of it."""
    if case.account_id is None:
        return
    case.contained_at = clock.now()
    people.sign_out(db, case.account_id, because="case_containment", by=by)
    urgency.owe_notice(db, case)
    file.write(db, case, "contained", {"did": "ended every session and token of the account"}, by=by)


def _told(finding: Finding) -> dict[str, Any]:
    """Say a finding in plain JSON values; the rows as the detector gave them."""
    reasons = [asdict(reason) | {"rows": [dict(row) for row in reason.rows]} for reason in finding.reasons]
    return {
        "finding": finding.kind,
        "band": finding.band,
        "log_odds": round(finding.score, 4),
        "score": shown(finding.score),
        "detector": finding.version,
        "from": leaf.exact(finding.begins),
        "to": leaf.exact(finding.ends),
        "reasons": reasons,
        "guards": list(finding.guards),
    }


def _reference() -> str:
    code = base64.b32encode(entropy.raw(5)).decode()
    return f"SC-{code[:4]}-{code[4:]}"
