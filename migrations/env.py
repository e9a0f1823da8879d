"""Runs migrations on the database the settings name, or on a connection handed over by a test."""

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


def _run(connection: Any) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_as_batch=True,
        compare_type=True,
        render_item=_render,
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
