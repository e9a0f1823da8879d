"""HEAD is answered wherever GET is: the same fields and no content (RFC 9110 9.3.2). Pure ASGI, before the routes."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """Lets the routes know of GET alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] != "HEAD":
            await self._app(scope, receive, _naming_head(send))
            return
        begun = False

        async def fields_alone(message: Message) -> None:
            nonlocal begun
            if begun:
                return  # the content, which is not asked for
            begun = True
            scope["method"] = "HEAD"  # the server measures the content by it
            await _naming_head(send)(message)
            await send({"type": "http.response.body", "body": b""})

        async def no_longer_there() -> Message:
            return {"type": "http.disconnect"} if begun else await receive()  # a stream ends with its fields

        scope["method"] = "GET"
        try:
            await self._app(scope, no_longer_there, fields_alone)
        finally:
            scope["method"] = "HEAD"


def _naming_head(send: Send) -> Send:
    """Name HEAD beside GET where an answer says what is allowed (RFC 9110 15.5.6)."""

    async def named(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 405:
            message["headers"] = [
                (name, value + b", HEAD")
                if name.lower() == b"allow" and b"GET" in value and b"HEAD" not in value
                else (name, value)
                for name, value in message["headers"]
            ]
        await send(message)

    return named
