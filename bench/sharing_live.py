"""Feed the running detector: records of a simulated clinic, sealed, read, scored and saved by the job itself.

`python -m bench.sharing_live [records]` prints the CPU of the job for each part of the records (reading, translating,
looking and writing, one round of at most 400 after the other, on SQLite), and what it keeps. Writing and sealing the
log is not counted.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import text

from idp import clock
from idp.accounts.tables import Account, Device, Login, Session
from idp.audit import checkpoint, log, origin
from idp.audit.events import Event
from idp.audit.seal import Sealer
from idp.database import Database, reading, transaction
from idp.sharing import events
from idp.sharing.live import feeding
from idp.sharing.simulator.parameters import FIT, world
from idp.sharing.simulator.world import World
from tests import engines

PART = 5_000


class Writer:
    """Writes a simulated world's acts as the service's records."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.known: set[str] = set()

    def _made(self, db: object, act: events.SignIn | events.Request | events.Factor) -> str:
        account, device = f"acc_{act.account}", f"dev_{act.device}"
        session = f"ses_{act.account}_{act.device}"
        now = clock.now()
        rows: list[object] = []
        if account not in self.known:
            rows += [Account(id=account, display_name=account)]
            rows += [Login(id=f"lgn_{account}", account_id=account, issuer="bench", subject=account)]
        if device not in self.known:
            rows += [Device(id=device, token_hash=device.encode(), label="Chrome on Windows")]
        if session not in self.known:
            rows += [
                Session(
                    id=session, token_hash=session.encode(), account_id=account, login_id=f"lgn_{account}",
                    acr="aal2", amr=["pwd"], auth_time=now, expires_at=now, device_id=device,
                )
            ]  # fmt: skip
        for row in rows:
            db.add(row)  # type: ignore[attr-defined]
            db.flush()  # type: ignore[attr-defined]
        self.known |= {account, device, session}
        return session

    def write(self, acts: list[events.SignIn | events.Request | events.Factor]) -> None:
        """Write acts, each at its own moment."""
        real = clock.now
        with transaction(self.database) as db:
            for act in acts:
                account, session = f"acc_{act.account}", self._made(db, act)
                if isinstance(act, events.Request):
                    event = Event(
                        "entitlements.decision.made", account=account, provider=f"prv_{act.provider}",
                        entitlement=act.function, outcome="permit", client="claims",
                    )  # fmt: skip
                elif isinstance(act, events.SignIn):
                    event = Event("accounts.login.succeeded", account=account)
                else:
                    event = Event("accounts.factor.confirmed", account=account, details={"kind": "totp"})
                address = f"10.{int(act.network[1:]) >> 8 & 255}.{int(act.network[1:]) & 255}.9"
                clock.now = lambda at=act.time: clock.from_micros(round(at * 1e6))  # type: ignore[misc]
                with origin.acting_as(account, session_id=session, device_id=f"dev_{act.device}", address=address):
                    log.record(db, event)
                clock.now = real


def acts() -> Iterator[events.SignIn | events.Request | events.Factor]:
    """Make a clinic's acts, for as long as they are asked for."""
    for event in World(world(FIT[0], seed=1, accounts=120, days=365)).events():
        if isinstance(event, events.SignIn | events.Request | events.Factor):
            yield event


def main() -> None:
    """Print each part's cost."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 40_000
    with tempfile.TemporaryDirectory() as home:
        engine = engines.SqliteEngine(Path(home))
        with engine.fresh(Path(home), None) as url:
            settings = engines.settings_for(url, Path(home))
            database = Database(settings)
            checkpoint.make_key(settings.audit_key_file)
            writer, sealer, source = Writer(database), Sealer(database), acts()
            feeding.begin(database)
            count = 0
            while count < wanted:
                for _ in range(PART // 500):
                    writer.write([next(source) for _ in range(500)])
                    sealer.seal_all()
                rounds, began = 0, time.process_time()
                while feeding.run(database):
                    rounds += 1
                spent = time.process_time() - began
                count += PART
                with reading(database) as db:
                    sizes = "SELECT count(*), sum(length(body)) FROM sharing_memory WHERE kind = 'account'"
                    accounts, size = db.execute(text(sizes)).one()
                print(
                    f"{count:>8,} records: {spent / PART * 1e6:6.0f} µs each in {rounds} rounds, "
                    f"{size / accounts / 1024:5.1f} KiB an account stored"
                )
            database.dispose()


if __name__ == "__main__":
    main()
