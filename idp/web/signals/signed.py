"""The signed feed with its heartbeat: what the kit hears (security.md 92, SE-3).

`GET /signals/v1/feed?nonce=...&after=N&wait_ms=250&reader=...`, bearer scope `signals:read`. The answer is one JWS
(`typ` `revocations+jwt`, our active key) whose claims are `iss`, `aud` (the asking client), `iat`, `nonce` and
`after` as asked, `revocations`, `last`, `more`, and `restart` where the feed ends before `after`. It comes as soon
as there is news, at the latest after `wait_ms`: that is the heartbeat. Because the nonce is the asker's, an answer
proves what was known after the question was sent; no clock of the app's is needed for that.

Asking on proves that everything up to `after` was heard: that is the app's receipt (`signals.receipts`).
"""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp import clock
from idp.errors import Invalid
from idp.signatures import sign
from idp.web.bearer import bearer, memory_of
from idp.web.boundary import Service
from idp.web.signals.feed import LIMIT, read
from idp.web.signals.receipts import receipts_of

TYP = "revocations+jwt"
LONGEST_MS = 1000
_NAME = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_PARAMETERS = ("after", "nonce", "reader", "wait_ms")


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of this part of the lane."""

    async def feed(request: Request) -> Response:
        caller = await bearer(service, request, "signals:read")
        asked = _asked(request)
        after = asked["after"]
        asked_at = clock.now()
        page = await read(service, after, LIMIT, asked["wait_ms"] / 1000)
        if after is not None and asked["reader"] is not None and page is not None:
            # A number the feed never gave proves nothing: after a restore it may be given anew, for something else.
            receipts_of(service).note(caller.client.client_id, asked["reader"], after, asked_at)
        picture = await memory_of(service).recent(service.lane)
        claims: dict[str, Any] = {
            "iss": service.settings.issuer,
            "aud": caller.client.client_id,
            "iat": int(clock.now().timestamp()),
            "nonce": asked["nonce"],
            "after": after,
        }
        if page is None:
            claims["restart"] = True
        else:
            claims |= {"revocations": page.entries, "last": page.last, "more": page.more}
        made = sign(claims, picture.keys.signer("ES256"), TYP)
        return Response(made, media_type=f"application/{TYP}", headers={"Cache-Control": "no-store"})

    return [Route("/signals/v1/feed", feed, methods=["GET"])]


def _asked(request: Request) -> dict[str, Any]:
    """Read the query; raise Invalid for what is unknown, repeated, missing or out of range."""
    found: dict[str, Any] = {"after": None, "reader": None, "wait_ms": 0}
    fields: dict[str, str] = {}
    names = [name for name, _ in request.query_params.multi_items()]
    for name, value in request.query_params.multi_items():
        if name not in _PARAMETERS:
            fields[name] = "There is no such parameter."
        elif names.count(name) > 1:
            fields[name] = "Send it once."
        elif name in ("nonce", "reader"):
            found[name] = value
            if not _NAME.fullmatch(value):
                fields[name] = "Send 16 to 64 letters, digits, dashes or underscores."
        else:
            most = LONGEST_MS if name == "wait_ms" else 2**62
            if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= most):
                fields[name] = f"Send a whole number from 0 to {most}."
            else:
                found[name] = int(value)
    if "nonce" not in found and "nonce" not in fields:
        fields["nonce"] = "Send a value of your own, new each time."
    if fields:
        raise Invalid("The query could not be understood.", fields=fields)
    return found
