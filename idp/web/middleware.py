"""The outermost layer: host check, sizes, request id, origin, security headers. Pure ASGI."""

import re
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from idp import entropy
from idp.audit import origin
from idp.errors import NotTakenIn
from idp.settings import Settings

HEADER_LIMIT = 64_000
"""Bytes of all header fields together (RFC 6585 5); a browser with every cookie of ours sends two thousand."""
BODY_LIMIT = 1_000_000
FORM_LIMIT = 64_000
FILE_LIMIT = 600_000
"""Bytes of a form that brings a file: two thousand people to invite."""
_FILES = ("/people/import", "/people/import/confirm")
_READ = frozenset(
    {
        b"host",
        b"user-agent",
        b"x-forwarded-for",
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"x-request-id",
    }
)
_FORMS = (b"application/x-www-form-urlencoded", b"multipart/")
"""Beginnings of media types, which are compared without regard to case (RFC 9110 8.3.1)."""
_REQUEST_ID = re.compile(rb"^[A-Za-z0-9._-]{1,64}$")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'{extra}; base-uri 'none'; frame-ancestors 'none'"
)

_POLICY = POLICY.format(extra="").encode()

Refuse = Callable[[Scope, Receive, Send, NotTakenIn], Awaitable[None]]
"""Answers a request that is not let in, in the form its asker understands, without a look at the database."""


class Edge:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp, settings: Settings, refuse: Refuse) -> None:
        self._app, self._refuse = app, refuse
        self._host = settings.origin_host.encode().lower()
        self._proxies = frozenset(a.strip() for a in settings.trusted_proxies.split(",") if a.strip())
        self._fixed = [
            (b"x-content-type-options", b"nosniff"),
            # Not no-referrer: Chromium then sends "Origin: null" with our own forms, and every one is refused.
            (b"referrer-policy", b"same-origin"),
            (b"permissions-policy", b"geolocation=(), camera=(), microphone=()"),
            (b"cross-origin-opener-policy", b"same-origin"),
        ]
        if not settings.development:
            self._fixed.append((b"strict-transport-security", b"max-age=63072000; includeSubDomains"))

    def _not_taken_in(self, scope: Scope, seen: dict[bytes, bytes]) -> NotTakenIn | None:
        """Say why a request goes no further, for what its headers alone tell."""
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_LIMIT:
            return NotTakenIn(431, "The request's headers are too large.", "headers_too_large")
        # No text we keep can hold NUL, so an address with one names nothing; authorize tells the app instead.
        if "\x00" in scope["path"] or (b"%00" in scope["query_string"] and scope["path"] != "/oauth/authorize"):
            return NotTakenIn(400, "The address holds a character that can't be used.", "unreadable_address")
        if b"content-encoding" in seen and _encoded(scope):
            detail = "What was sent is compressed. Send it as it is, without Content-Encoding."
            would_do = {"Accept-Encoding": "identity"}  # RFC 9110 15.5.16
            return NotTakenIn(415, detail, "unsupported_encoding", headers=would_do)
        length = seen.get(b"content-length")
        if length is not None and (not length.isdigit() or int(length) > _limit(scope, seen)):
            return _too_large()
        return None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen_headers = {name: value for name, value in scope["headers"] if name in _READ}
        host, agent = seen_headers.get(b"host"), seen_headers.get(b"user-agent")
        forwarded = seen_headers.get(b"x-forwarded-for")
        length, given_id = seen_headers.get(b"content-length"), seen_headers.get(b"x-request-id")
        request_id = given_id.decode() if given_id and _REQUEST_ID.match(given_id) else entropy.ordered_mark()
        address = scope["client"][0] if scope.get("client") else None
        if address in self._proxies and forwarded:
            address = forwarded.decode("latin-1").rsplit(",", 1)[-1].strip()
        origin.put(
            origin.Origin(
                request_id=request_id,
                address=address,
                user_agent=agent.decode("latin-1") if agent else None,
            )
        )
        headers = [*self._fixed, (b"x-request-id", request_id.encode())]
        started = False

        async def finished(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                complete(message.setdefault("headers", []), headers)
            await send(message)

        if sum(name == b"host" for name, _ in scope["headers"]) > 1:  # whoever stands before us may read the other one
            await _plain(finished, 400, b"Send one Host header field.\n")  # RFC 9112 3.2
            return
        if host is None or host.lower() != self._host:  # no page: its links would lead to that name
            await _plain(finished, 421, b"This service does not answer to that host name.\n")
            return
        refusal = self._not_taken_in(scope, seen_headers)
        if refusal is not None:
            await self._refuse(scope, receive, finished, refusal)
            return
        limit = _limit(scope, seen_headers)
        seen, too_large = 0, False

        async def bounded() -> Message:
            nonlocal seen, too_large
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    too_large = scope["too_large"] = True
                    return {"type": "http.disconnect"}
            return message

        try:
            await self._app(scope, bounded if length is None else receive, finished)
        except ClientDisconnect:
            if too_large and not started:
                await self._refuse(scope, receive, finished, _too_large())
            # Otherwise the caller has gone: nobody to answer, and no fault of ours.
        except Exception:
            if not (too_large and not started):
                raise
            await self._refuse(scope, receive, finished, _too_large())


def _limit(scope: Scope, seen: dict[bytes, bytes]) -> int:
    """Return how many bytes of a body are taken in."""
    if not seen.get(b"content-type", b"").strip().lower().startswith(_FORMS):
        return BODY_LIMIT
    return FILE_LIMIT if scope["path"].endswith(_FILES) else FORM_LIMIT


def _encoded(scope: Scope) -> bool:
    """Say whether a body comes otherwise than as it is (RFC 9110 8.4); nothing here decodes one."""
    if scope["method"] in ("GET", "HEAD"):
        return False
    named = b",".join(value for name, value in scope["headers"] if name == b"content-encoding")
    return any(coding.strip().lower() not in (b"", b"identity") for coding in named.split(b","))


def _too_large() -> NotTakenIn:
    return NotTakenIn(413, "The request is too large.", "too_large")


def complete(present: list[tuple[bytes, bytes]], headers: list[tuple[bytes, bytes]]) -> None:
    """Add the headers every answer has to those that are present."""
    names = {name.lower() for name, _ in present}
    if b"content-security-policy" not in names:
        present.append((b"content-security-policy", _POLICY))
    if b"cache-control" not in names:
        present.append((b"cache-control", b"no-store"))
    present.extend(headers)


async def _plain(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
