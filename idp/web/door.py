"""The door of password sign-in: more than can be hashed soon is turned away before any of it costs anything.

The room in `idp.accounts.passwords` bounds hashing; this bounds what waits for a thread and reads the database on the
way there, so that a storm is refused in milliseconds and leaves the other answers their processor (security.md 6).
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from idp.accounts import passwords

PATH = "/sign-in/password"
_PAGE = b"""<!doctype html><html lang="en"><head><title>Too many people are signing in</title></head><body><main>
<h1>Too many people are signing in just now</h1><p>Nothing was lost. Go back and try again in a moment.</p>
</main></body></html>"""
_START: Message = {
    "type": "http.response.start",
    "status": 429,
    "headers": [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(_PAGE)).encode()),
        (b"retry-after", b"1"),
    ],
}


class Door:
    """Lets in as many sign-ins as have a place or a seat in the queue."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or turn it away."""
        if scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        if self._inside >= passwords.seats():
            await send({**_START, "headers": list(_START["headers"])})
            await send({"type": "http.response.body", "body": _PAGE})
            return
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1
