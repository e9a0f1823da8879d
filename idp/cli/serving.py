"""Serve with uvicorn: our own sockets, no proxy headers, an orderly end.

On SIGTERM readiness goes off at once, new requests are still answered for the drain time (a proxy needs it to
notice), then the sockets close and what is in flight finishes within 20 seconds (security.md 88).
"""

import asyncio
import os
import signal
import socket
import sys
import threading
from types import FrameType
from typing import Any

from idp.cli import collector  # isort: skip  # first: it rests while all this is imported
from idp import logs  # isort: skip  # then: it says how structlog is imported
import uvicorn
from fastapi import FastAPI

from idp.app import create_app
from idp.cli import memory
from idp.database import Database
from idp.errors import Refused
from idp.settings import load
from idp.web import built

FINISH_WITHIN = 20
"""Seconds that requests in flight have."""
_DRAIN = "IDP_INTERNAL_DRAIN"


def application() -> FastAPI:
    """Build the application of one worker; uvicorn calls it by name in each process, its loop running."""
    memory.give_back()
    settings = load()
    logs.configure(settings.log_level)
    app = create_app(settings)
    collector.settle(built=True)
    drain = float(os.environ.get(_DRAIN, "0"))
    if threading.current_thread() is threading.main_thread():
        _stop_first(app, signal.SIGTERM, drain)
        _stop_first(app, signal.SIGINT, 0)
    return app


def _stop_first(app: FastAPI, told: signal.Signals, seconds: float) -> None:
    """Put our handler of a signal before uvicorn's: readiness off and streams end now, its own after `seconds`."""
    loop = asyncio.get_running_loop()
    uvicorns: Any = signal.getsignal(told)

    def stop(number: int, frame: FrameType | None) -> None:
        parts = app.state.service.parts
        if parts.get("stopping"):
            uvicorns(number, frame)
            return
        parts["stopping"] = True
        loop.call_soon_threadsafe(loop.call_later, seconds, uvicorns, number, frame)

    signal.signal(told, stop)


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
    if lacking := built.missing():
        sys.stderr.write(f"idp: {lacking} {built.REPAIR}\n")
    address = f"{host or settings.host}:{port or settings.port}"
    sys.stderr.write(f"idp: {settings.issuer} on {address}, {processes} worker{'s' if processes > 1 else ''}\n")
    # uvicorn hands the signal on once it has finished; being told to stop and stopping is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if processes == 1:
        server = uvicorn.Server(config)
        server.run(sockets=[listening])
        if not server.started:
            sys.exit(1)
    else:
        from uvicorn.supervisors import Multiprocess

        collector.settle(built=False)  # this process only watches its workers
        Multiprocess(config, sockets=[listening]).run()


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
