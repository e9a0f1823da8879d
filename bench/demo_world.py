"""The demo's world, served by real processes on either database, for experiments that need people and practices."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

from idp import migrate
from idp.apply.run import apply_file
from idp.audit import origin
from idp.database import Database, transaction
from idp.demo import filling
from idp.demo.places import ROOT, Places, free
from idp.entitlements import catalog
from idp.oauth import keys
from idp.settings import load


@contextmanager
def filled(home: Path, *, postgres: bool) -> Iterator[tuple[Places, Database]]:
    """Fill the demo's world on a durable database of its own; yield its places and the database."""
    with ExitStack() as stack:
        places = Places(home / "demo", free())
        if postgres:
            from tests.engines import WITHOUT_KEYS, PostgresEngine

            engine = PostgresEngine(home, fsync=True)
            stack.callback(engine.close)
            places = replace(places, database_url=stack.enter_context(engine.fresh(home, WITHOUT_KEYS)))
        filling.prepare(places)
        said = places.environment("meridian")
        settings = load(
            issuer=said["IDP_ISSUER"],
            database_url=said["IDP_DATABASE_URL"],
            master_keys=places.secret("meridian.keys"),
            audit_key_file=Path(said["IDP_AUDIT_KEY_FILE"]),
            development=True,
        )
        database = Database(settings)
        stack.callback(database.dispose)
        migrate.migrate(database)
        with origin.acting_as("operator"), transaction(database) as db:
            catalog.load_default(db)
        keys.ensure(database)
        apply_file(database, places.secrets / "meridian.yaml")
        yield places, database


@contextmanager
def serving(home: Path, *, postgres: bool, workers: int) -> Iterator[tuple[Places, Database]]:
    """Serve the filled world with so many workers."""
    with filled(home, postgres=postgres) as (places, database):
        log = home / "served.log"
        command = [sys.executable, "-m", "idp", "serve", "--port", str(places.ports[0]), "--workers", str(workers)]
        with log.open("wb") as out:
            said = places.environment("meridian")
            served = subprocess.Popen(command, cwd=ROOT, env=said, stdout=out, stderr=out)  # noqa: S603
            try:
                _ready(served, places.ports[0], log)
                yield places, database
            finally:
                served.terminate()
                served.wait(30)


def _ready(served: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    for _ in range(600):
        if served.poll() is not None:
            break
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/readyz", headers={"Host": f"localhost:{port}"})
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit(f"the service did not start:\n{log.read_text()[-2000:]}")
