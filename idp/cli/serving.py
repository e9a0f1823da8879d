"""Serve with uvicorn: our own sockets, no proxy headers, an orderly end.

On SIGTERM readiness goes off at once, new requests are still answered for the drain time (a proxy needs it to
notice), then the sockets close and what is in flight finishes within 20 seconds (security.md 88).
"""

import asyncio
import os
import signal
import socket
import sys
import urllib.request
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from idp.app import create_app
from idp.database import Database
from idp.errors import Refused
from idp.settings import Settings, load

FINISH_WITHIN = 20
"""Seconds that requests in flight have."""
_DRAIN = "IDP_INTERNAL_DRAIN"


def application() -> Any:
    """Build the application of one worker; uvicorn calls it by name in each process."""
    return create_app(load())


class Server(uvicorn.Server):
    """A uvicorn server that turns readiness off before it stops listening."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        app = self.config.loaded_app if self.config.loaded else None
        while app is not None and not hasattr(app, "state"):
            app = getattr(app, "app", None)
        drain = float(os.environ.get(_DRAIN, "0"))
        if app is None or drain <= 0 or sig == signal.SIGINT or getattr(app.state, "draining", False):
            super().handle_exit(sig, frame)
            return
        app.state.draining = True
        asyncio.get_running_loop().call_later(drain, super().handle_exit, sig, frame)


def serve(*, host: str | None, port: int | None, workers: int | None, drain: float | None) -> None:
    """Listen until SIGTERM or SIGINT; raise NotConfigured or Refused before listening when something is wrong."""
    from idp.cli.schema import refuse_unknown

    settings = load()
    database = Database(settings)
    try:
        refuse_unknown(database)
    finally:
        database.dispose()
    processes = workers or settings.workers
    os.environ[_DRAIN] = str(drain if drain is not None else (0 if settings.development else 2))
    listening = _listen(host or settings.host, port or settings.port)
    config = uvicorn.Config(
        "idp.cli.serving:application",
        factory=True,
        workers=processes,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        interface="asgi3",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=FINISH_WITHIN,
    )
    server = Server(config)
    address = f"{host or settings.host}:{port or settings.port}"
    sys.stderr.write(f"idp: {settings.issuer} on {address}, {processes} worker{'s' if processes > 1 else ''}\n")
    if processes == 1:
        server.run(sockets=[listening])
        if not server.started:
            sys.exit(1)
    else:
        Multiprocess(config, target=server.run, sockets=[listening]).run()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family=family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(2048)
    except OSError as problem:
        made.close()
        raise Refused(
            f"Cannot listen at {host}:{port}: {problem.strerror}. Stop what uses the port, or choose another: --port"
        ) from None
    made.set_inheritable(True)
    return made


def healthy(settings: Settings) -> bool:
    """Ask /healthz of the service on this machine."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared, not bound
    request = urllib.request.Request(f"http://{host}:{settings.port}/healthz", headers={"Host": settings.origin_host})
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310 - our own address
            return bool(answer.status == 200)
    except OSError:
        return False
