"""The guard of the machines' lane: whose access token is this, and is it in force?"""

from dataclasses import dataclass

from starlette.requests import Request

from idp.audit import origin
from idp.errors import NotEntitled, NotSignedIn
from idp.oauth.access_tokens import Checked, NotInForce, Recall, check
from idp.oauth.clients import ClientFacts
from idp.oauth.memory import Memory
from idp.signatures import SignedClaims
from idp.web.boundary import Service


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls one of our own APIs."""

    client: ClientFacts
    scopes: frozenset[str]
    account_id: str | None
    """None when a service calls for itself."""
    session_id: str | None
    provider_id: str | None
    claims: SignedClaims


def memory_of(service: Service) -> Memory:
    """Return this worker's memory of clients and keys."""
    memory = service.parts.get("oauth")
    if memory is None:
        memory = service.parts["oauth"] = Memory(service.database)
    assert isinstance(memory, Memory)
    return memory


async def bearer(service: Service, request: Request, *any_of_scopes: str, recall: Recall = "nothing") -> Caller:
    """Require an access token made for us, in force, with one of the scopes (RFC 6750).

    `recall` as for `access_tokens.check`.

    Raises NotSignedIn (401) without a good token and NotEntitled (403) when the scope is missing; both
    carry WWW-Authenticate.
    """
    token = token_of(request)
    checked = await in_force(service, token, recall=recall)
    return caller_of(checked, any_of_scopes)


def caller_of(checked: Checked, any_of_scopes: tuple[str, ...]) -> Caller:
    """Return the caller of a checked token; raise NotEntitled when it has none of the scopes."""
    claims = checked.claims
    scopes = frozenset(str(claims.get("scope", "")).split())
    if any_of_scopes and not scopes.intersection(any_of_scopes):
        raise NotEntitled(
            f"The token needs the scope {' or '.join(any_of_scopes)}.",
            code="insufficient_scope",
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{" ".join(any_of_scopes)}"'},
        )
    person = checked.standing is not None
    caller = Caller(
        client=checked.client,
        scopes=scopes,
        account_id=str(claims["sub"]) if person else None,
        session_id=claims.get("sid") if person else None,
        provider_id=claims.get("provider") if person else None,
        claims=claims,
    )
    origin.narrow(
        actor_id=caller.account_id or caller.client.client_id,
        client_id=caller.client.client_id,
        channel=caller.client.channel,
        session_id=caller.session_id,
    )
    return caller


async def in_force(service: Service, token: str, *, with_person: bool = False, recall: Recall = "nothing") -> Checked:
    """Check a token made for us; raise NotSignedIn with the challenge of RFC 6750 3.1."""
    issuer = service.settings.issuer
    try:
        return await check(
            token,
            memory_of(service),
            service.lane,
            issuer,
            audience=issuer,
            with_person=with_person,
            recall=recall,
        )
    except NotInForce as problem:
        raise NotSignedIn(
            "The access token is not valid.",
            code="invalid_token",
            headers={"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{problem.reason}"'},
        ) from None


def token_of(request: Request) -> str:
    """Return the token of the Authorization header; raise NotSignedIn when there is none."""
    values = request.headers.getlist("authorization")
    scheme, _, token = (values[0] if len(values) == 1 else "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotSignedIn("Send an access token.", code="not_signed_in", headers={"WWW-Authenticate": "Bearer"})
    return token.strip()
