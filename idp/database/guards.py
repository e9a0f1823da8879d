"""The guards of insert-only tables, taken away for one transaction by the tables' owner: nobody else can."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import bindparam, text
from sqlmodel import Session

from idp.database.engine import of

_ON_SQLITE = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN :tables").bindparams(
    bindparam("tables", expanding=True)
)
_REFUSE = ("_no_delete", "_no_update")


@contextmanager
def unguarded(session: Session, *tables: str) -> Iterator[None]:
    """Let rows of insert-only tables be changed and removed; what fails inside takes the guards' going back, too."""
    if of(session).is_sqlite:
        found = session.execute(_ON_SQLITE, {"tables": tables}).all()
        guards = [(name, sql) for name, sql in found if name.endswith(_REFUSE)]
        for name, _ in guards:
            session.execute(text(f"DROP TRIGGER {name}"))
        yield
        session.flush()
        for _, sql in guards:
            session.connection().exec_driver_sql(sql)
        return
    for table in tables:
        session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER {table}_insert_only"))
    yield
    session.flush()
    for table in tables:
        session.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER {table}_insert_only"))
