"""Fixtures of the log's tests: a key, a sealer, records to seal."""

from collections.abc import Callable

import pytest

from idp.audit import checkpoint, log
from idp.audit.events import Event
from idp.audit.report import Report
from idp.audit.seal import Sealer
from idp.audit.verify import verify
from idp.database import Database, transaction
from idp.settings import Settings
from tests import engines


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings whose checkpoint key exists and whose checkpoints are copied."""
    checkpoint.make_key(settings.audit_key_file)
    return settings.model_copy(update={"audit_copy": settings.audit_key_file.parent / "copy.jsonl"})


@pytest.fixture
def sealer(database: Database) -> Sealer:
    return Sealer(database)


@pytest.fixture
def write(database: Database) -> Callable[..., None]:
    """Write so many records, each in a transaction of its own kind."""

    def _write(count: int = 1, name: str = "entitlements.grant.added", **facts: object) -> None:
        with transaction(database) as session:
            for n in range(count):
                log.record(session, Event(name, account=f"acc_{n}", provider="prv_lake", **facts))  # type: ignore[arg-type]

    return _write


@pytest.fixture
def check(database: Database) -> Callable[..., Report]:
    """Verify the log with the public key and the copy."""
    public = checkpoint.load_key(database.settings.audit_key_file).public_key()

    def _check(*, with_copy: bool = True) -> Report:
        return verify(database, public, database.settings.audit_copy if with_copy else None)

    return _check


def as_superuser(database: Database, *statements: str) -> None:
    """Change the database as its owner would: triggers out of the way first."""
    with engines.owned(database) as owner, owner.engine.connect() as connection:
        if database.is_sqlite:
            rows = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for (name,) in rows:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        else:
            connection.exec_driver_sql("SET session_replication_role = replica")
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount != 0, statement
        connection.commit()
