"""Runs migrations on the database the settings name, or on a connection handed over by a test."""

import re
from typing import Any

from alembic import context

from idp.database import Database
from idp.database.types import Instant, JsonText
from idp.settings import load
from idp.tables import METADATA


def _render(kind: str, item: Any, _autogen: Any) -> str | bool:
    if kind == "type" and isinstance(item, Instant):
        return "sa.BigInteger()"
    if kind == "type" and isinstance(item, JsonText):
        return "sa.Text()"
    return False


def _ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Leave out the months of the log: they are parts of one table, made as time goes on."""
    return not (kind == "table" and name is not None and re.fullmatch(r"audit_record_(\d{4}_\d{2}|rest)", name))


def _run(connection: Any) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_as_batch=True,
        compare_type=True,
        render_item=_render,
        include_name=_ours,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def _main() -> None:
    connection = context.config.attributes.get("connection")
    if connection is not None:
        _run(connection)
        return
    database = Database(load())
    try:
        with database.engine.connect() as own:
            _run(own)
            own.commit()
    finally:
        database.dispose()


_main()
