"""The way in of the machines' lane: path to endpoint by one look-up, before the pages' framework.

The layers a page needs (telemetry, exit stacks, pattern matching) cost a machine's request as much as its
answer; none of them is used by the lane (docs/decisions/0008).
"""

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from idp.web.errors import answer, wants_page


async def _refused(request: Request, problem: Exception) -> Response:
    """Answer what was raised; a page for people reads the database, so it is made beside the loop."""
    if not wants_page(request):
        return answer(request, problem)
    try:
        return await run_in_threadpool(answer, request, problem)
    except (OperationalError, PoolTimeout) as away:
        return answer(request, away)


class FastLane:
    """Answers the lane's fixed paths itself and hands everything else on."""

    def __init__(self, routes: list[Route], pages: ASGIApp) -> None:
        self._routes = {route.path: route for route in routes}
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route = self._routes.get(scope["path"])
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
        except ClientDisconnect:
            raise
        except Exception as problem:
            response = await _refused(request, problem)
        await response(scope, receive, send)
