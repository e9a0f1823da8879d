"""How a case stands: its clocks, questions, actions, appeal and label, told to the log with each change (SE-5).

The file of a case proves what was written into it; these rows are what the desk works by. One record for each
transaction that changed them says them whole, so whoever moves a clock or rewrites a label in the database is found.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

import orjson
from sqlmodel import Session as Db
from sqlmodel import SQLModel, select

from idp.audit import leaf, log
from idp.audit.events import Event
from idp.cases.tables import CaseAction, CaseAppeal, CaseLabel, CaseQuestion, SecurityCase
from idp.database import before_commit

EVENT = "security.case.stood"
_FIRST = 0
"""Before anything else that is done before a commit."""
_PARTS: dict[str, type[SQLModel]] = {
    "question": CaseQuestion,
    "action": CaseAction,
    "appeal": CaseAppeal,
    "label": CaseLabel,
}
_NAMED = {
    "triage_due_at": "when it must be taken up by",
    "triaged_at": "when it was taken up",
    "worked_by": "who works on it",
    "escalated_at": "when it was called late",
    "contained_at": "when what was open was ended",
    "decided_at": "when it was decided",
    "tell_due_at": "when those concerned must be told by",
    "told_at": "when those concerned were told",
    "closed_at": "when it was closed",
}
_BESIDE = ("promise",)
"""Columns of rows that come after, and prove themselves: the log's own signature."""
_MOST = 100
"""Rows of one part that are named one by one; of more, one digest speaks for all."""
_CHAINED = ("entries", "head")
"""Of the case itself, and proven by its file."""
_OWN = tuple(name for name in SecurityCase.model_fields if name not in _CHAINED)


def watch(db: Db, case_id: str) -> None:
    """Have this transaction tell the log how a case stands, if it changes that; `file.hold` calls it."""
    name = f"standing of {case_id}"
    if name not in db.info:
        db.info[name] = now(db, case_id)
        before_commit(db, _FIRST, name, partial(_told, case_id, name))


def now(db: Db, case_id: str) -> dict[str, Any]:
    """Return how a case stands: its own columns, and of each row that hangs on it a digest by its id."""
    case = db.get(SecurityCase, case_id)
    if case is None:
        return {}
    found: dict[str, Any] = {"case": {name: _plain(getattr(case, name)) for name in _OWN}}
    for part, table in _PARTS.items():
        rows = db.execute(select(table.__table__).where(table.__table__.c.case_id == case_id)).mappings()  # type: ignore[attr-defined]
        each = {_id(row): _digest(row) for row in rows}
        found[part] = each if len(each) <= _MOST else {"rows": _digest(each)}
    return found


def differs(db: Db, case: SecurityCase, said: Mapping[str, Any] | None) -> str:
    """Say where a case does not stand as the log says; "" where it does, or where the log never said (old cases)."""
    if said is None:
        return ""
    stands = now(db, case.id)
    for name, value in stands["case"].items():
        if said["case"].get(name) != value:
            return f"The case says otherwise than the log {_NAMED.get(name, 'of its ' + name.replace('_', ' '))}."
    for part in _PARTS:
        was, is_now = said[part], stands[part]
        changed = sorted(one for one in was.keys() | is_now.keys() if was.get(one) != is_now.get(one))
        if changed:
            return f"The case's {part} {changed[0]} is not what the log says of it."
    return ""


def _told(case_id: str, name: str, db: Db) -> None:
    db.flush()
    before, stands = db.info.pop(name), now(db, case_id)
    if stands and stands != before:
        details = {"case": case_id, "stands": stands}
        log.record(db, Event(EVENT, account=stands["case"]["account_id"], reason=case_id, details=details))


def _id(row: Mapping[Any, Any]) -> str:
    return str(row["id"] if "id" in row else row["case_id"])


def _digest(row: Mapping[Any, Any]) -> str:
    plain = {str(name): _plain(value) for name, value in row.items() if name not in _BESIDE}
    return sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return leaf.exact(value)
    return sha256(value).hexdigest() if isinstance(value, bytes | memoryview) else value
