"""Issue the authorization code once every step is met, and say where the browser goes with it."""

from datetime import datetime
from urllib.parse import urlencode

from sqlmodel import Session as Db

from idp import configuration
from idp.accounts.tables import Session
from idp.audit import log
from idp.audit.events import Event
from idp.oauth.authorization_request import AuthorizationRequest, no_row
from idp.oauth.desk import Asked, Desk, at_hand
from idp.oauth.grants.authorization_code import hash_of
from idp.oauth.memory import Picture
from idp.oauth.practices import Practice
from idp.oauth.server import Answer, server
from idp.oauth.tables import AuthorizationCode


def issue(
    db: Db,
    picture: Picture,
    *,
    issuer: str,
    request: AuthorizationRequest,
    session: Session,
    practice: Practice | None,
    now: datetime,
) -> str:
    """Store a code bound to client, address, challenge, person, session and practice; return the redirect.

    The answer names us (`iss`, RFC 9207).
    """

    def store(code: str) -> None:
        db.add(
            AuthorizationCode(
                code_hash=hash_of(code),
                client_id=request.client.client_id,
                redirect_uri=request.redirect_uri,
                redirect_uri_given=request.redirect_uri_given,
                challenge=request.challenge,
                scope=request.scope,
                nonce=request.nonce,
                resource=request.audience,
                claims=request.claims,
                account_id=session.account_id,
                session_id=session.id,
                provider_id=practice.provider_id if practice else None,
                line=request.client.default_line if practice else None,
                acr=session.acr,
                auth_time=session.auth_time,
                expires_at=now + configuration.current(db).clocks.authorization_code,
            )
        )

    desk = Desk(picture, issuer, now, no_row, loaded=store)
    asked = Asked(desk, "GET", "/oauth/authorize", request.values)
    before = at_hand.set(desk)
    try:
        grant = server().get_authorization_grant(asked)
        answer = server().create_authorization_response(asked, grant_user=session.account_id, grant=grant)
    finally:
        at_hand.reset(before)
    assert isinstance(answer, Answer)
    location = dict(answer.headers).get("Location")
    assert location is not None, "the same request was understood a moment ago"
    log.record(
        db,
        Event(
            "oauth.code.issued",
            account=session.account_id,
            provider=practice.provider_id if practice else None,
            client=request.client.client_id,
            channel=request.client.channel,
            session=session.id,
            details={"scope": request.scope, "audience": request.audience},
        ),
    )
    return location + ("&" if "?" in location else "?") + urlencode({"iss": issuer})
