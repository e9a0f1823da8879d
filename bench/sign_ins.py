"""Measure what a sign-in costs the server, request by request, on SQLite or PostgreSQL.

    python -m bench.sign_ins [--postgres] [--runs N] [--people N] [--only login,remembered,federated,sso]

Server CPU is what the worker's threads ran (nanoseconds of the scheduler, not the clock); the partner's login runs
in a process of its own. Cases: `login` (new browser, password), `remembered` (a browser that knows a second step),
`federated` (new browser, a partner's login), `sso` (a session is there). What
a case costs is the sum of the least that each of its requests cost; what Argon2id costs alone is measured beside it, in
the same run. Whether it costs more among many people says `bench.crowded`.
"""

import argparse
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import sqlalchemy

from bench import make_world, served, upstream
from bench.visitor import Visitor
from idp.accounts import hash_memory
from tests.engines import MASTER_KEYS, PostgresEngine

PARTNER_PORT = served.PORT + 1
NAME, PASSWORD = "pat", "pat-long-password-1"
MORE = f"""\
  - ref: fay
    name: Fay Lane
    emails: [fay@bench.example]
    logins: [{{upstream: evergreen, subject: fay}}]
    affiliations: [{{provider: bench, from: 2026-01-01}}]
    terms: accepted
    attested: true
  - ref: kim
    name: Kim Dale
    emails: [kim@bench.example]
    user_name: kim
    password: {PASSWORD}
    totp: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP
    affiliations: [{{provider: bench, from: 2026-01-01}}]
    terms: accepted
    attested: true
partners:
  - {{ref: evergreen, name: Evergreen, kind: affiliate, status: active, contact: {{phone: 1-800-555-0188}}}}
upstreams:
  - ref: evergreen
    id: ups_evergreen
    partner: evergreen
    display_name: Evergreen
    issuer: http://127.0.0.1:{PARTNER_PORT}
    client_id: {upstream.CLIENT}
    client_secret: {upstream.SECRET}
    algorithms: [ES256]
    domains: [evergreen.example]
"""


def password(browser: Visitor, name: str = NAME) -> None:
    """Sign in from an app by user name and password, up to the tokens."""
    browser.authorize()
    browser.submit(username=name)
    where = browser.submit(password=PASSWORD)
    browser.exchange(_allowed(browser, where))


def federated(browser: Visitor) -> None:
    """Sign in from an app at the partner's login, up to the tokens."""
    browser.authorize()
    flow = browser.fields("username")["flow"]
    asked = parse_qs(urlsplit(browser.get(f"/login/ups_evergreen?flow={flow}")).query)
    code = f"fay~{asked['nonce'][0]}"
    where = browser.get(f"/login/ups_evergreen/callback?code={code}&state={asked['state'][0]}")
    browser.exchange(_allowed(browser, where))


def sso(browser: Visitor) -> None:
    """Ask for a code with the session there, and exchange it."""
    browser.exchange(browser.authorize())


def _allowed(browser: Visitor, where: str) -> str:
    return browser.submit(decision="allow") if "/oauth/authorize" in where or "consent" in where else where


def measured(process: int, runs: int, one: Callable[[Visitor], object], cookies: dict[str, str]) -> float:
    """Run a case and print the median of each request and of the whole; return the sum of the least."""
    costs: dict[str, list[float]] = defaultdict(list)
    whole, pages = [], served.faults(process)
    for _ in range(runs):
        browser = Visitor(lambda: served.cpu(process), cookies)
        one(browser)
        browser.close()
        whole.append(sum(sum(each) for each in browser.costs.values()))
        for name, each in browser.costs.items():
            costs[name].append(sum(each))
    _line("whole", whole)
    for name, each in costs.items():
        _line(f"  {name}", each)
    # a request that a case sends twice, such as authorize, is one line for both
    least = sum(min(each) for each in costs.values())
    print(f"  sum of the least: {least:.2f} ms; page faults a run: {(served.faults(process) - pages) / runs:.0f}")
    return least


def alone(runs: int = 25, rest: float = 0.0) -> float:
    """Return what one Argon2id costs in kept memory, and nothing else, in milliseconds of the processor."""
    return min(hashes(runs, rest))


def hashes(runs: int, rest: float = 0.0) -> list[float]:
    """Return what each of so many Argon2id costs, `rest` seconds apart: one that comes alone finds its memory cold."""
    spent = []
    for _ in range(runs):
        time.sleep(rest)
        before = time.thread_time_ns()
        hash_memory.argon2id(b"a password", b"sixteen bytes !!", rounds=2, kibibytes=19456, lanes=1, length=32)
        spent.append((time.thread_time_ns() - before) / 1e6)
    return spent


def _line(name: str, each: list[float]) -> None:
    print(f"{name:44}{statistics.median(each):8.2f} ms   least {min(each):7.2f}   ({len(each)})")


def remembered(url: str, port: int = served.PORT) -> dict[str, str]:
    """Sign Kim in once and let the device know their second step until tonight."""
    browser = Visitor(port=port)
    password(browser, "kim")
    engine = engine_of(url)
    now = time.time_ns() // 1000
    values = {"until": now + 36_000_000_000, "now": now}
    with engine.begin() as connection:
        connection.execute(
            sqlalchemy.text(
                "INSERT INTO known_device (device_id, account_id, created_at, remembered_until, factor_at) "
                "SELECT s.device_id, s.account_id, :now, :until, :now FROM session s JOIN account a "
                "ON a.id = s.account_id WHERE a.display_name = 'Kim Dale' "
                "ON CONFLICT (device_id, account_id) DO UPDATE SET remembered_until = :until, factor_at = :now"
            ),
            values,
        )
    engine.dispose()
    return {name: value for name, value in browser.cookies.items() if name.endswith("device")}


def engine_of(url: str) -> sqlalchemy.Engine:
    """Return an engine on the database of a service."""
    return sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))


@contextmanager
def the_service(*, postgres: bool, port: int = served.PORT) -> Iterator[tuple[int, str, int | None]]:
    """Serve the bench's world with a partner beside it; yield worker, database and the database's process.

    A second service, at another port, shares the partner of the first.
    """
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url, server = f"sqlite:///{home / 'bench.db'}", None
        keys = "bench:" + b64encode(secrets.token_bytes(32)).decode()
        if postgres:
            keys = MASTER_KEYS  # its first keys are sealed already
            url, server = stack.enter_context(_postgres(home))
        world = home / "world.yaml"
        world.write_text(make_world.HEAD.format().replace("http://127.0.0.1:9010", served.base_of(port)) + MORE)
        environment = {
            "IDP_DATABASE_URL": url,
            "IDP_MASTER_KEYS": keys,
            "IDP_AUDIT_KEY_FILE": str(home / "audit.pem"),
        }
        if port == served.PORT:
            partner = subprocess.Popen([sys.executable, "-m", "bench.upstream", str(PARTNER_PORT)], cwd=served.HOME)  # noqa: S603
            stack.callback(partner.terminate)
            _answers(PARTNER_PORT)
        yield stack.enter_context(served.serving(environment, world, port)), url, server


@contextmanager
def _postgres(home: Path) -> Iterator[tuple[str, int]]:
    """Run a private server with durable settings; the tests' own engine starts it."""
    engine = PostgresEngine(home, fsync=True)
    try:
        with engine.fresh(home) as url:
            folder = url.partition("host=")[2]
            yield url, int((Path(folder) / "data" / "postmaster.pid").read_text().splitlines()[0])
    finally:
        engine.close()


def _answers(port: int) -> None:
    for _ in range(100):
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/jwks")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit("the partner's login did not start")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--only", default="login,remembered,federated,sso")
    chosen = parser.parse_args()
    os.environ.setdefault("PYTHONPATH", str(served.HOME))
    with the_service(postgres=chosen.postgres) as (process, url, server):
        for _ in range(5):
            password(Visitor())
            federated(Visitor())
        known = remembered(url)
        there = Visitor()
        password(there)
        cases: dict[str, tuple[Callable[[Visitor], object], dict[str, str]]] = {
            "login": (password, {}),
            "remembered": (lambda browser: password(browser, "kim"), known),
            "federated": (federated, {}),
            "sso": (sso, there.cookies),
        }
        for name in chosen.only.split(","):
            one, cookies = cases[name]
            print(f"== {name}, {'PostgreSQL' if chosen.postgres else 'SQLite'}")
            before = {p: served.cpu(p) for p in served.database_of(server)} if server else {}
            cost = measured(process, chosen.runs, one, cookies)
            if server:
                spent = sum(served.cpu(p) - before.get(p, 0) for p in served.database_of(server))
                print(f"  database: {spent / chosen.runs:.2f} ms a run")
            if name in ("login", "remembered"):
                hashing, rested = alone(), alone(rest=0.05)
                print(f"  Argon2id one after another {hashing:.2f} ms; beside it {cost - hashing:.2f} ms")
                print(f"  Argon2id once in a while {rested:.2f} ms; beside it {cost - rested:.2f} ms")
        print(f"memory (PSS): {served.memory(process):.0f} MiB", end=", ")
        time.sleep(2.5)
        print(f"{served.memory(process):.0f} MiB after a rest")


if __name__ == "__main__":
    main()
