"""What a receiver of security events sends: whose token it is, and one JSON object."""

from collections.abc import Callable
from typing import Any

import orjson
from sqlmodel import Session as Db
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from idp.database import transaction
from idp.errors import NotEntitled, Refused
from idp.web.bearer import Caller
from idp.web.boundary import Service

LIMIT = 64_000
"""Bytes of a question."""
_HEADERS = {"Cache-Control": "no-store"}


class Malformed(Refused):
    """The question is not what the standard says."""

    status = 400
    code = "invalid_request"
    title = "The question could not be understood"


def own(caller: Caller) -> str:
    """Return which client asks, for itself and not for a person; raise NotEntitled."""
    if caller.account_id is not None:
        raise NotEntitled("Only an app's own token may ask for security events.")
    return caller.client.client_id


async def body_of(request: Request, *, empty: bool = False) -> dict[str, Any]:
    """Return the JSON object of a request; raise Malformed for anything else, or too much of it."""
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > LIMIT:
            raise Malformed(f"Send at most {LIMIT} bytes.")
    if not raw and empty:
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Malformed("Send application/json.")
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Malformed("The body is not JSON.") from None
    if not isinstance(found, dict):
        raise Malformed("Send a JSON object.")
    return found


def text_of(body: dict[str, Any], name: str) -> str:
    """Return a member that must be text; raise Malformed."""
    value = body.get(name)
    if not isinstance(value, str) or not value or len(value) > 2048 or "\x00" in value:
        raise Malformed(f"{name} is missing or is not text.")
    return value


def maybe_text(body: dict[str, Any], name: str) -> str | None:
    """Return a member that may be left out; raise Malformed when it is not text."""
    return None if body.get(name) is None else text_of(body, name)


def one_query(request: Request, name: str) -> str | None:
    """Return the one parameter a question may have; raise Malformed for others, or for it twice."""
    given = request.query_params.multi_items()
    if [found for found, _ in given] not in ([], [name]):
        raise Malformed(f"Only {name} may be asked with, once.")
    return given[0][1] if given else None


async def in_transaction(service: Service, work: Callable[[Db], Any]) -> Any:
    """Do the work in one transaction beside the loop."""

    def done() -> Any:
        with transaction(service.database) as db:
            return work(db)

    return await run_in_threadpool(done)


def answer(value: Any, status: int = 200) -> Response:
    """Return JSON that nobody keeps."""
    return Response(orjson.dumps(value), status, _HEADERS, "application/json")


def nothing(status: int) -> Response:
    """Return an answer without a body."""
    return Response(status_code=status, headers=_HEADERS)
