"""Start the four servers of the demo, wait until each answers, stop them all."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from idp.demo.places import NAMES, ROOT, DemoRefused, Places

START_WITHIN = 120.0
"""Seconds until every server must answer; one that ends by itself is noticed at once."""
_STOP_WITHIN = 25.0


@dataclass(slots=True)
class Server:
    """One running server."""

    name: str
    origin: str
    probe: str
    log: Path
    process: "subprocess.Popen[bytes]"


@dataclass(frozen=True, slots=True)
class _Wanted:
    name: str
    origin: str
    probe: str
    """Path that answers 200 once the server is ready."""
    command: list[str]
    environment: dict[str, str]


@contextmanager
def running(places: Places) -> Iterator[list[Server]]:
    """Start everything, yield once all answer, stop everything; raise DemoRefused when one does not start."""
    servers: list[Server] = []
    try:
        servers.extend(_start(places, wanted) for wanted in _wanted(places))
        _wait(servers)
        yield servers
    finally:
        stop(servers)


def _wanted(places: Places) -> Iterator[_Wanted]:
    python = sys.executable
    for name, origin, key in zip(NAMES[:2], (places.main, places.affiliate), ("meridian", "evergreen"), strict=True):
        serve = [python, "-m", "idp", "serve"]
        yield _Wanted(name, origin, "/.well-known/openid-configuration", serve, places.environment(key))
    plain = {key: value for key, value in os.environ.items() if not key.startswith("IDP_")}
    for name, origin, key in zip(NAMES[2:], (places.claims, places.hsconnect), ("claims", "hsconnect"), strict=True):
        app = [python, "-m", "uvicorn", "--factory", f"samples.{key}.app:create_app", "--host", "127.0.0.1"]
        settings = {
            "PYTHONPATH": str(ROOT),
            "APP_ISSUER": places.main,
            "APP_ORIGIN": origin,
            "APP_CLIENT_ID": key,
            "APP_CLIENT_SECRET_FILE": str(places.secrets / f"{key}.secret"),
        }
        yield _Wanted(name, origin, "/healthz", [*app, "--port", origin.rsplit(":", 1)[1]], plain | settings)


def _start(places: Places, wanted: _Wanted) -> Server:
    name = wanted.name
    log = places.home / "logs" / f"{name.split(maxsplit=1)[0].lower()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - our own programs
            wanted.command,
            cwd=ROOT,
            env=wanted.environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            # Ctrl-C reaches us alone; we then stop the servers in an orderly way.
            start_new_session=True,
        )
    return Server(name, wanted.origin, wanted.probe, log, process)


def _wait(servers: list[Server]) -> None:
    until = time.monotonic() + START_WITHIN
    waiting = list(servers)
    with httpx2.Client(timeout=2.0, trust_env=False) as client:
        while waiting:
            refuse_dead(servers)
            waiting = [server for server in waiting if not _answers(client, server)]
            if waiting and time.monotonic() > until:
                names = ", ".join(server.name for server in waiting)
                raise DemoRefused(f"{names} did not answer within {START_WITHIN:.0f} seconds.\n{_tail(waiting[0])}")
            time.sleep(0.1)


def _answers(client: httpx2.Client, server: Server) -> bool:
    try:
        answer = client.get(server.origin + server.probe)
    except httpx2.HTTPError:
        return False
    if server.probe == "/healthz":
        return answer.status_code == 200 and answer.json().get("hears") is True
    return answer.status_code == 200


def refuse_dead(servers: list[Server]) -> None:
    """Raise DemoRefused when a server has ended by itself, with the last lines of its log."""
    for server in servers:
        if server.process.poll() is not None:
            raise DemoRefused(f"{server.name} ended by itself (status {server.process.returncode}).\n{_tail(server)}")


def stop(servers: list[Server]) -> None:
    """Ask every server to stop, apps first; after a while, insist."""
    for server in reversed(servers):
        if server.process.poll() is None:
            server.process.terminate()
    until = time.monotonic() + _STOP_WITHIN
    for server in servers:
        try:
            server.process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(server.process.pid, signal.SIGKILL)
            server.process.wait()


def _tail(server: Server) -> str:
    lines = server.log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(f"  | {line}" for line in lines[-15:]) + f"\n  The whole log: {server.log}"
