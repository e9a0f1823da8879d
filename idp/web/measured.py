"""Count every answer and write a line about the slow and the failed ones. Pure ASGI, inside the edge."""

import logging
from functools import cache
from time import perf_counter
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from idp import metrics

SLOW = 1.0
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LEFT = 499
"""Who asked left before the question was whole: nobody's answer, and no fault of ours."""
_level = logging.getLogger("idp.access")
_log = structlog.get_logger("idp.access")


class Measured:
    """Wraps the routes: which template answered, how, and in what time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = perf_counter()
        status = 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except ClientDisconnect:
            if scope.get("too_large"):
                raise  # the edge stopped the reading, and answers
            status = LEFT
        finally:
            if scope.get("too_large"):
                status = 413  # the edge answers it
            took = perf_counter() - begun
            route = _template(scope)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            _counter(method, route, status).inc()
            _clock(route).observe(took)
            if status >= 500 or took > SLOW:
                _log.warning("answered", method=method, route=route, status=status, ms=round(took * 1000, 1))
            elif _level.isEnabledFor(logging.DEBUG):
                _log.debug("answered", method=method, route=route, status=status, ms=round(took * 1000, 1))


@cache
def _counter(method: str, route: str, status: int) -> Any:
    return metrics.REQUESTS.labels(method, route, status)


@cache
def _clock(route: str) -> Any:
    return metrics.SECONDS.labels(route)


def _template(scope: Scope) -> str:
    """Return the route's template, so that no id becomes a label."""
    template = getattr(scope.get("route"), "path", None)
    if isinstance(template, str):
        return template
    if "endpoint" in scope and not scope.get("path_params"):
        return str(scope["path"])
    return "/static" if str(scope["path"]).startswith("/static/") else "unmatched"
