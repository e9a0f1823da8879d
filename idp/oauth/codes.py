"""Issue the authorization code once every step is met, and say where the browser goes with it."""

from dataclasses import dataclass, field
from urllib.parse import urlencode

import orjson

from idp import clock
from idp.audit.events import Event
from idp.database.lane import Sql, Work
from idp.oauth.arrival import Practice, SessionSeen
from idp.oauth.grants.authorization_code import hash_of
from idp.oauth.steps import Journey

_INSERT = Sql(
    "INSERT INTO authorization_code (code_hash, client_id, redirect_uri, redirect_uri_given, challenge, scope, nonce, "
    "resource, claims, account_id, session_id, provider_id, line, acr, auth_time, expires_at, created_at) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
)


@dataclass(frozen=True, slots=True)
class Issued:
    """Where the browser goes with its code, and what must be committed before it does."""

    location: str
    code: str = field(repr=False)
    event: Event


def issue(journey: Journey, issuer: str, practice: Practice | None) -> Issued:
    """Make the code of a request whose every step is met; the answer names us (`iss`, RFC 9207)."""
    request, session = journey.request, journey.arrival.session
    assert session is not None
    _, _, headers = request.grant.create_authorization_response(request.redirect_uri, session.account_id)
    location, code = dict(headers)["Location"], request.grant.request.desk.code
    event = Event(
        "oauth.code.issued",
        account=session.account_id,
        provider=practice.provider_id if practice else None,
        client=request.client.client_id,
        channel=request.client.channel,
        session=session.id,
        details={"scope": request.scope, "audience": request.audience},
    )
    where = location + ("&" if "?" in location else "?") + urlencode({"iss": issuer})
    return Issued(where, code, event)


def store(issued: Issued, journey: Journey, session: SessionSeen, practice: Practice | None) -> Work:
    """Store a code bound to client, address, challenge, person, session and practice."""
    request, now = journey.request, clock.micros(journey.now)
    lifetime = journey.picture.configuration.clocks.authorization_code
    yield (
        _INSERT,
        (
            hash_of(issued.code),
            request.client.client_id,
            request.redirect_uri,
            request.redirect_uri_given,
            request.challenge,
            request.scope,
            request.nonce,
            request.audience,
            None if request.claims is None else orjson.dumps(request.claims, option=orjson.OPT_SORT_KEYS).decode(),
            session.account_id,
            session.id,
            practice.provider_id if practice else None,
            request.client.default_line if practice else None,
            session.acr,
            clock.micros(session.auth_time),
            clock.micros(journey.now + lifetime),
            now,
        ),
    )
