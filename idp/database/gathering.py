"""Send late and together what nothing in its transaction reads: for a transaction of thousands of changes.

A transaction that gathers keeps such rows in memory and sends them some hundred at a time, the last of them just
before the commit: both the change and its record exist, or neither does, as always.
"""

from sqlmodel import Session

from idp.database import plainly
from idp.database.engine import before_commit

_GATHERED = "gathered"
_AT_ONCE = 500
_LAST = 9
"""After everything else that is done before a commit."""


def gather(session: Session) -> None:
    """Let this transaction gather."""
    session.info[_GATHERED] = {}
    before_commit(session, _LAST, "gathered rows", _send)


def gathers(session: Session) -> bool:
    """Say whether this transaction gathers."""
    return _GATHERED in session.info


def write(session: Session, statement: str, row: tuple[object, ...]) -> None:
    """Insert a row, by a statement in the driver's own form: at once, or later where the transaction gathers.

    Inside a savepoint at once, so that it is taken back with it and nothing gathered before is.
    """
    waiting: dict[str, list[tuple[object, ...]]] | None = session.info.get(_GATHERED)
    if waiting is None or session.in_nested_transaction():
        plainly.run(session, statement, row)
        return
    rows = waiting.setdefault(statement, [])
    rows.append(row)
    if len(rows) >= _AT_ONCE:
        _send(session)


def _send(session: Session) -> None:
    waiting: dict[str, list[tuple[object, ...]]] = session.info[_GATHERED]
    for statement, rows in waiting.items():
        if rows:
            session.connection().exec_driver_sql(statement, rows)
    waiting.clear()
