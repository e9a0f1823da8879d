"""What a decision costs over HTTP, and what a worker costs to start, with a thousand grants and with many.

    python -m bench.scale [--sizes 1000,10000000] [--keep FOLDER]

One worker on SQLite, jobs off, its own process: CPU milliseconds a request on one kept connection (least of blocks).
The same people are asked about at every size; each answer is compared with the rule.
"""

import argparse
import base64
import sqlite3
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson

from bench import served
from bench.crowd import KEYS, PLACES, account, provider
from bench.engine import MASTER_KEYS, filled
from idp import clock

SECRET = "svc-secret-svc-secret-svc-secret-0"
WORLD = f"""
clients:
  - client_id: svc
    name: Service
    secret: {SECRET}
    grants: [client_credentials]
    scopes: ["access:evaluate"]
"""
ASKED, REQUESTS, BLOCKS, BATCH = 100, 60, 6, 50
MANY = 16
"""Connections that ask at the same time; their records are committed together."""


class App:
    """An app with a token and one connection."""

    def __init__(self) -> None:
        self._connection = HTTPConnection("127.0.0.1", served.PORT, timeout=60)
        self._headers: dict[str, str] = {}
        self.renew()

    def renew(self) -> None:
        """Fetch a token: one lives for five minutes, a measurement on a busy machine longer."""
        basic = base64.b64encode(f"svc:{SECRET}".encode()).decode()
        body = "grant_type=client_credentials&scope=access:evaluate"
        headers = {"Authorization": f"Basic {basic}", "Content-Type": "application/x-www-form-urlencoded"}
        token = self._post("/oauth/token", body.encode(), headers)["access_token"]
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> Any:
        self._connection.request("POST", path, body, headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            sys.exit(f"{path}: {answer.status} {said[:300]!r}")
        return orjson.loads(said)

    def post(self, path: str, body: bytes) -> Any:
        """Post a question; return the answer."""
        return self._post(path, body, self._headers)


def _question(person: int, place: int, key: str) -> dict[str, Any]:
    return {
        "subject": {"type": "account", "id": account(person), "properties": {"sid": f"ses_{person}"}},
        "action": {"name": key},
        "resource": {"type": "provider", "id": provider(person, place)},
    }


def _awake(path: Path, begun: int) -> None:
    """Let the sessions of those who are asked about last until now; they began before the moment the crowd lives at."""
    now = clock.micros(clock.now())
    with sqlite3.connect(path) as db:
        ids = ",".join(f"'ses_{person}'" for person in range(ASKED))
        values = (begun, begun, now, now + 3_600_000_000)
        sql = f"UPDATE session SET auth_time = ?, factor_time = ?, last_seen_at = ?, expires_at = ? WHERE id IN ({ids})"  # noqa: S608
        db.execute(sql, values)


def _spent(process: int, app: App, path: str, bodies: list[bytes], requests: int = REQUESTS) -> float:
    """Return the least CPU milliseconds a request over blocks of requests."""
    blocks = []
    for _ in range(BLOCKS):
        app.renew()
        app.post(path, bodies[0])
        before = served.cpu(process)
        for n in range(requests):
            app.post(path, bodies[n % len(bodies)])
        blocks.append((served.cpu(process) - before) / requests)
    return min(blocks)


def _spent_by_many(process: int, path: str, bodies: list[bytes], requests: int) -> float:
    """Return the same with many connections at once, each sending so many requests in a block."""
    apps = [App() for _ in range(MANY)]
    blocks = []

    def ask(app: App) -> None:
        for n in range(requests):
            app.post(path, bodies[n % len(bodies)])

    with ThreadPoolExecutor(MANY) as threads:
        for _ in range(BLOCKS):
            for app in apps:
                app.renew()
            before = served.cpu(process)
            list(threads.map(ask, apps))
            blocks.append((served.cpu(process) - before) / (requests * MANY))
    return min(blocks)


def measure(size: int, home: Path) -> dict[str, float]:
    """Serve a database of this size and return what each kind of request costs."""
    database, crowd = filled(size, home)
    database.dispose()
    path = home / f"engine-{size}.db"
    _awake(path, crowd.at - 60_000_000)
    world = home / "scale.yaml"
    world.write_text(WORLD)
    environment = {
        "IDP_DATABASE_URL": f"sqlite:///{path}",
        "IDP_MASTER_KEYS": MASTER_KEYS,
        "IDP_AUDIT_KEY_FILE": str(path.with_suffix(".pem")),
        "IDP_JOBS": "0",
    }
    found: dict[str, float] = {}
    with served.serving(environment, world) as process:
        found["worker's CPU to its first answer, s"] = served.cpu(process) / 1000
        found["worker's memory after start, MiB"] = served.memory(process)
        app = App()
        questions = [(person, person % PLACES, KEYS[person % len(KEYS)]) for person in range(min(ASKED, crowd.people))]
        bodies = [orjson.dumps(_question(*one)) for one in questions]
        for one, body in zip(questions, bodies, strict=True):
            answer = app.post("/access/v1/evaluation", body)
            if answer["decision"] != crowd.allows(one):
                sys.exit(f"wrong answer: {one} {answer}")
        found["empty route, ms"] = _spent(process, app, "/bench/empty", bodies)
        found["evaluation, ms"] = _spent(process, app, "/access/v1/evaluation", bodies)
        alike = [one for one in questions if one[0] == questions[0][0]] or questions[:1]
        batch = {"evaluations": [_question(*alike[0]) for _ in range(BATCH)]}
        each = _spent(process, app, "/access/v1/evaluations", [orjson.dumps(batch)], 6) / BATCH
        found[f"of a batch of {BATCH} about one person, ms"] = each
        many = {"evaluations": [_question(*questions[n % len(questions)]) for n in range(BATCH)]}
        each = _spent(process, app, "/access/v1/evaluations", [orjson.dumps(many)], 6) / BATCH
        found[f"of a batch of {BATCH} about as many, ms"] = each
        for name, path, asked, requests, of in (
            ("empty route", "/bench/empty", bodies, 30, 1),
            ("evaluation", "/access/v1/evaluation", bodies, 30, 1),
            (f"of a batch of {BATCH} about one person", "/access/v1/evaluations", [orjson.dumps(batch)], 3, BATCH),
            (f"of a batch of {BATCH} about as many", "/access/v1/evaluations", [orjson.dumps(many)], 3, BATCH),
        ):
            found[f"{MANY} at once: {name}, ms"] = _spent_by_many(process, path, asked, requests) / of
        found["worker's memory afterwards, MiB"] = served.memory(process)
    return found


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="1000,10000000")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder whose databases are filled once and kept")
    given = parser.parse_args()
    sizes = [int(size) for size in given.sizes.split(",")]
    with tempfile.TemporaryDirectory() as home:
        rows = {size: measure(size, given.keep or Path(home)) for size in sizes}
    first, last = rows[sizes[0]], rows[sizes[-1]]
    print(f"{'over HTTP, by number of grants':44}" + "".join(f"{size:>14,}" for size in sizes) + f"{'last/first':>12}")
    for name in first:
        values = "".join(f"{rows[size][name]:14.3f}" for size in sizes)
        print(f"{name:44}{values}{last[name] / first[name]:12.2f}")
    for size in sizes:
        row = rows[size]
        for way in ("", f"{MANY} at once: "):
            one = row[f"{way}evaluation, ms"]
            names = [name for name in row if name.startswith(f"{way}of a batch")]
            cheaper = "; ".join(f"{one / row[name]:.1f} times cheaper {name[:-4]}" for name in names)
            print(f"at {size:,}: {way}evaluation / empty route {one / row[f'{way}empty route, ms']:.2f}; {cheaper}")
    if given.json:
        given.json.write_bytes(orjson.dumps({str(size): row for size, row in rows.items()}))
    print(f"time: {time.strftime('%H:%M')}, on {Path('/proc/loadavg').read_text().split()[0]} load")


if __name__ == "__main__":
    main()
