"""What decided cases say was true, in the form `idp sharing evaluate --labels` reads (docs/sharing.md)."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.cases import file
from idp.cases.tables import CaseLabel, SecurityCase

LABELS = {"substantiated": "sharing", "compromised": "takeover", "innocent": "none"}
"""Decision -> label; what could not be told is no evidence for anything."""
_SHORTEST = timedelta(seconds=1)


def put(db: Db, case: SecurityCase, *, by: str, pattern: str) -> None:
    """Store or replace the label of a decided case."""
    label = LABELS.get(case.decision or "")
    found = db.get(CaseLabel, case.id)
    if label is None or case.account_id is None:
        if found is not None:
            db.delete(found)
        return
    begins, ends = window(db, case)
    row = found or CaseLabel(
        case_id=case.id,
        account_id=case.account_id,
        label=label,
        pattern=pattern,
        begins=begins,
        ends=ends,
        labelled_by=by,
    )
    row.label, row.pattern, row.lasting, row.labelled_by = label, pattern, pattern != "one_off", by
    db.add(row)
    db.flush()


def window(db: Db, case: SecurityCase) -> tuple[datetime, datetime]:
    """Return when what was seen began and ended, by the evidence; for a case without a window, its own days."""
    moments = []
    for entry in file.entries(db, case.id):
        evidence = (entry.body or {}).get("evidence", {}) if entry.kind in ("opened", "added") else {}
        moments += [datetime.fromisoformat(evidence[name]) for name in ("from", "to") if evidence.get(name)]
    if not moments:
        moments = [case.created_at, case.decided_at or clock.now()]
    return min(moments), max(*moments, min(moments) + _SHORTEST)


def written(db: Db) -> Iterator[Mapping[str, object]]:
    """Yield the labels of sharing and takeover, oldest case first; accounts without one count as innocent there."""
    query = (
        select(CaseLabel).where(col(CaseLabel.label) != "none").order_by(col(CaseLabel.begins), col(CaseLabel.case_id))
    )
    for row in db.exec(query).all():
        yield {
            "account": row.account_id,
            "label": row.label,
            "pattern": row.pattern,
            "begins": clock.iso(row.begins),
            "ends": clock.iso(row.ends),
            "lasting": row.lasting,
        }
