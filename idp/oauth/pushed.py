"""Authorization requests an app sends ahead by itself (RFC 9126): nobody in the browser can change them.

The app proves itself, the request is checked as if the browser had brought it, and the browser carries only its
name, which works once and for a minute and a half.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode

from authlib.oauth2 import OAuth2Error

from idp import clock, entropy
from idp.audit.events import Event
from idp.database.lane import RestsOn, Sql, Work
from idp.errors import OAuthRefused
from idp.oauth.authorization_request import understand
from idp.oauth.client_authentication import authenticate
from idp.oauth.desk import Asked, at_hand
from idp.oauth.server import Answer

PREFIX = "urn:ietf:params:oauth:request_uri:"
LONGEST = 8000
"""Characters of a whole request; it has to fit where a browser's would."""
_PROOFS = frozenset({"client_secret", "client_assertion", "client_assertion_type"})
_STORE = Sql(
    "INSERT INTO pushed_request (request_hash, client_id, body, expires_at, created_at) VALUES ($1, $2, $3, $4, $5)"
)
_SPEND = Sql(
    "UPDATE pushed_request SET spent_at = $1 WHERE request_hash = $2 AND client_id = $3 AND spent_at IS NULL "
    "AND expires_at > $1 RETURNING body"
)


def push(asked: Asked) -> Answer:
    """Answer one pushed request (RFC 9126 2.1 to 2.3)."""
    desk = asked.desk
    before = at_hand.set(desk)
    try:
        client = authenticate(asked)
    except OAuth2Error as problem:
        status, body, headers = problem()
        return Answer(status, body, headers, problem.error)
    finally:
        at_hand.reset(before)
    framework: Any = asked
    framework.client = client
    if not client.usable:
        return _refused("unauthorized_client", "This app may not sign people in just now.")
    fields = {name: value for name, value in asked.form.items() if name not in _PROOFS}
    fields["client_id"] = client.client_id
    if "request_uri" in fields:
        return _refused("invalid_request", "request_uri is what this endpoint gives; it takes none (RFC 9126 2.1).")
    body = urlencode(fields)
    if len(body) > LONGEST:
        return _refused("invalid_request", "The request is too long.")
    try:
        understand(desk.picture, desk.issuer, desk.now, list(fields.items()), pushed=True)
    except OAuthRefused as problem:
        return _refused(problem.code, problem.detail)
    name = entropy.token()
    life = desk.picture.configuration.clocks.pushed_request
    values = (hash_of(name), client.client_id, body, clock.micros(desk.now + life), desk.micros)

    def work() -> Work:
        yield _STORE, values
        return None

    desk.work = work
    desk.rests_on = RestsOn(desk.picture.epoch)
    desk.events.append(Event("oauth.request.pushed", client=client.client_id))
    return Answer(201, {"request_uri": PREFIX + name, "expires_in": int(life.total_seconds())}, _NO_STORE)


_NO_STORE = [("Cache-Control", "no-store")]


def _refused(error: str, detail: str) -> Answer:
    return Answer(400, {"error": error, "error_description": detail}, _NO_STORE, error)


def hash_of(name: str) -> bytes:
    """Return what is stored of a request's name."""
    return sha256(name.encode()).digest()


def named_in(pairs: Mapping[str, str]) -> tuple[str, str] | None:
    """Return (name, client) of a pushed request an address carries; None where it carries none of ours."""
    uri = pairs.get("request_uri", "")
    if not uri.startswith(PREFIX) or len(uri) > 200 or not pairs.get("client_id") or "\x00" in pairs["client_id"]:
        return None
    return uri.removeprefix(PREFIX), pairs["client_id"]


def spend(name: str, client_id: str, at: int) -> Work:
    """Use a pushed request up; return its parameters, or None where it is used, too old or another app's."""
    rows: list[Any] = yield _SPEND, (at, hash_of(name), client_id)
    return parse_qsl(rows[0][0], keep_blank_values=True) if rows else None
