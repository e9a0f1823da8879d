"""Run `alembic check` on both databases: the migrations make exactly what the models describe."""

import os
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.util.exc import CommandError

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from idp import migrate
from idp.database import Database
from tests import engines


def _check(url: str, home: Path) -> None:
    database = Database(engines.settings_for(url, home))
    try:
        with database.engine.connect() as connection:
            made = migrate.config()
            made.attributes["connection"] = connection
            command.check(made)
    finally:
        database.dispose()


def main() -> None:
    """Check SQLite, then PostgreSQL; a missing PostgreSQL is a failure in CI and is said elsewhere."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        kinds = [engines.SqliteEngine]
        if os.environ.get("IDP_TEST_POSTGRES_URL") or engines.find_postgres():
            kinds.append(engines.PostgresEngine)
        elif os.environ.get("CI"):
            sys.exit(engines.MISSING)
        else:
            print(engines.MISSING, file=sys.stderr)
        for kind in kinds:
            (home / kind.name).mkdir()
            engine = kind(home / kind.name)
            try:
                (home / kind.name / "copy").mkdir()
                with engine.fresh(home / kind.name / "copy") as url:
                    print(f"{kind.name}: ", end="", flush=True)
                    _check(engines.as_owner(url), home)
            except CommandError as problem:
                sys.exit(str(problem))
            finally:
                if isinstance(engine, engines.PostgresEngine):
                    engine.close()


if __name__ == "__main__":
    main()
