"""The way in of the machines' lane: path to endpoint by one look-up, before the pages' framework.

The layers a page needs (telemetry, exit stacks, pattern matching) cost a machine's request as much as its
answer; none of them is used by the lane (docs/decisions/0008).
"""

from collections.abc import Awaitable, Callable, Mapping

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from idp.web.errors import answer, wants_page

Endpoint = Callable[[Request], Awaitable[Response]]


class ForPages(Exception):
    """Raised by an endpoint that answers only the plain case of a page: the pages' lane knows the others."""


def _again(body: bytes, receive: Receive) -> Receive:
    """Give the pages' lane the body an endpoint has read."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return left.pop() if left else await receive()

    return replayed


async def _refused(request: Request, problem: Exception) -> Response:
    """Answer what was raised; a page for people reads the database, so it is made beside the loop."""
    if not wants_page(request):
        return answer(request, problem)
    try:
        return await run_in_threadpool(answer, request, problem)
    except (OperationalError, PoolTimeout) as away:
        return answer(request, away)


def _plain(path: str, endpoint: Endpoint) -> Route:
    route = Route(path, endpoint)
    route.methods = None  # the endpoint leaves the methods it does not know to the pages
    return route


class FastLane:
    """Answers the lane's fixed paths itself and hands everything else on."""

    def __init__(
        self, routes: list[Route], pages: ASGIApp, plain: Mapping[str, Endpoint], below: Mapping[str, Endpoint]
    ) -> None:
        """`plain`: path to an endpoint that raises ForPages for what it leaves to the pages' own route there.

        `below`: the same for the beginning of a path, up to its second slash.
        """
        self._routes = {route.path: route for route in routes}
        self._routes |= {path: _plain(path, endpoint) for path, endpoint in plain.items()}
        self._below = {path: _plain(path + "{rest}", endpoint) for path, endpoint in below.items()}
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        route = self._routes.get(path) or self._below.get(path[: path.find("/", 1) + 1])
        if route is None:
            await self._pages(scope, receive, send)
            return
        scope["route"] = route
        request = Request(scope, receive, send)
        try:
            if route.methods is not None and scope["method"] not in route.methods:
                allowed = ", ".join(sorted(route.methods))
                raise HTTPException(405, headers={"Allow": allowed})  # noqa: TRY301 - one road for every answer
            response = await route.endpoint(request)
        except ForPages:
            await self._pages(scope, _again(await request.body(), receive), send)
            return
        except ClientDisconnect:
            raise
        except Exception as problem:
            response = await _refused(request, problem)
        await response(scope, receive, send)
