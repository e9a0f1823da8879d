"""Real server processes on loopback, and an end to them that nobody can prepare for."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2

from idp.settings import Settings
from tests.engines import MASTER_KEYS
from tests.faults.cradle import Cradle, Forked

PATIENCE = float(os.environ.get("IDP_FAULT_PATIENCE", "1"))
"""How many times longer everything may take, on a machine that is busy with other things."""
_READY_WITHIN = 90.0 * PATIENCE
_PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Nothing here speaks TLS; a client that reads the trusted authorities first takes longer than its request."""


class Server:
    """One `idp serve` process."""

    _process: subprocess.Popen[bytes] | Forked

    def __init__(self, settings: Settings, home: Path, *, workers: int = 1, cradle: Cradle | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{self.port}"
        self.headers = {"host": settings.origin_host}
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("IDP_")},
            "IDP_ISSUER": settings.issuer,
            "IDP_DEVELOPMENT": "1",
            "IDP_DATABASE_URL": settings.database_url,
            "IDP_MASTER_KEYS": MASTER_KEYS,
            "IDP_AUDIT_KEY_FILE": str(settings.audit_key_file),
            "IDP_AUDIT_COPY": str(settings.audit_copy or home / "copy.jsonl"),
        }
        arguments = ["serve", "--port", str(self.port), "--workers", str(workers)]
        log = home / f"server-{self.port}.log"
        if cradle is not None:
            self._process = cradle.start(arguments, environment, log)
        else:
            with log.open("wb") as said:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "idp", *arguments],
                    env=environment,
                    stdout=said,
                    stderr=said,
                    start_new_session=True,
                )
        self._wait(home)

    def _wait(self, home: Path) -> None:
        until = time.monotonic() + _READY_WITHIN
        with self.client() as asker:
            while time.monotonic() < until and self._process.poll() is None:
                with suppress(httpx2.TransportError):
                    if asker.get("/readyz").status_code == 200:
                        return
                time.sleep(0.05)
        self.kill()
        raise AssertionError((home / f"server-{self.port}.log").read_text())

    def client(self, **cookies: str) -> httpx2.Client:
        """Return a browser at this process."""
        return httpx2.Client(
            base_url=self.base, headers=self.headers, cookies=cookies, timeout=10 * PATIENCE, verify=_PLAIN
        )

    def workers(self) -> list[int]:
        """Return the processes that answer, where the first only watches them."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        named = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
        return sorted(child for child, name in named.items() if b"spawn_main" in name)

    def kill(self) -> None:
        """Kill -9 the process and its workers, and wait until they are gone."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)


@contextmanager
def serving(settings: Settings, home: Path, count: int = 1) -> Iterator[list[Server]]:
    """Run so many server processes on one database."""
    servers: list[Server] = []
    try:
        for _ in range(count):
            servers.append(Server(settings, home))  # noqa: PERF401 - those started must end even if one fails
        yield servers
    finally:
        for server in servers:
            server.kill()
