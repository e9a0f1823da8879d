"""The tokens of a person: what they rest on, and how they are made from it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from idp import entropy
from idp.audit.events import Event
from idp.database.lane import RestsOn, Sql, Work
from idp.oauth.access_tokens import mint, new_jti
from idp.oauth.client_facts import ClientFacts
from idp.oauth.desk import Desk
from idp.oauth.liveness import Standing, terms_claim
from idp.oauth.status_list.allotment import INSERT as INSERT_ENTRY

INSERT_REFRESH = Sql(
    "INSERT INTO refresh_token (token_hash, family_id, client_id, expires_at, created_at) VALUES ($1, $2, $3, $4, $5)"
)


@dataclass(slots=True)
class Ground:
    """What a code or a refresh token stands for, as its one statement found it."""

    standing: Standing
    hash: bytes
    client_id: str
    session_id: str
    family_id: str
    scope: str
    audience: str
    line: str | None
    nonce: str | None
    claims: Any
    acr: str
    auth_time: int
    """Microseconds."""
    expires_at: int
    spent: bool
    person: tuple[Any, ...]
    redirect_uri: str | None = None
    code_challenge: str | None = None
    code_challenge_method: str = "S256"
    via: tuple[str, ...] = ()
    """Delegations through which a third party's person acts, the practice's own first."""
    entry: tuple[Any, ...] | None = None
    """The row of the access token's place in a status list, where its client has one."""

    @property
    def account_id(self) -> str:
        """Return the person; only asked once the standing was judged."""
        assert self.standing.account_id is not None
        return self.standing.account_id

    @property
    def amr(self) -> list[str]:
        """Return the session's methods of authentication."""
        stored = self.standing.amr
        return list(json.loads(stored) if isinstance(stored, str) else stored or [])

    # What Authlib asks of a code or a refresh token.

    def get_redirect_uri(self) -> str | None:
        """Return the address the code was sent to, where the request named it."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return the scope that was given."""
        return self.scope

    def check_client(self, client: ClientFacts) -> bool:
        """Say whether the client is the one it was made for."""
        return self.client_id == client.client_id


def access_token(desk: Desk, client: ClientFacts, ground: Ground, scope: str) -> tuple[dict[str, Any], str]:
    """Make a person's access token; return the token response and the jti."""
    jti = new_jti(ground.family_id)
    found = ground.standing
    more: dict[str, Any] = {
        "sid": ground.session_id,
        "auth_time": ground.auth_time // 1_000_000,
        "acr": ground.acr,
        "amr": ground.amr,
        "authz_epoch": found.authz_epoch,
        "terms": terms_claim(desk.picture, desk.now),
    }
    if found.provider_id is not None:
        more["provider"] = found.provider_id
    if ground.via:
        more["via"] = list(ground.via)
    listed = desk.listed(client)
    if listed is not None:
        more |= listed.claim(desk.issuer)
    token, lifetime = mint(
        desk.picture,
        desk.issuer,
        client,
        subject=ground.account_id,
        audience=ground.audience,
        scope=scope,
        now=desk.now,
        jti=jti,
        more=more,
    )
    if listed is not None:
        ground.entry = (
            listed.number,
            listed.idx,
            client.client_id,
            ground.account_id,
            ground.session_id,
            ground.family_id,
            found.provider_id,
            found.authz_epoch,
            desk.micros + lifetime * 1_000_000 + int(desk.picture.leeway.total_seconds() * 1_000_000),
            desk.micros,
        )
    return {"access_token": token, "token_type": "Bearer", "expires_in": lifetime, "scope": scope}, jti


def entered(ground: Ground) -> Work:
    """Write the access token's place, where it has one."""
    if ground.entry is not None:
        yield INSERT_ENTRY, ground.entry


def new_refresh(desk: Desk, ground: Ground) -> tuple[str, tuple[tuple[Any, ...], Callable[[], Work]]]:
    """Make a refresh token that ends with the session at the latest; return it, the row of its hash and its insert."""
    from hashlib import sha256

    token = entropy.token()
    lifetime = desk.picture.configuration.clocks.refresh_token
    ends = min(desk.micros + int(lifetime.total_seconds() * 1_000_000), ground.standing.session_expires)
    values = (sha256(token.encode()).digest(), ground.family_id, ground.client_id, ends, desk.micros)

    def insert() -> Work:
        yield INSERT_REFRESH, values

    return token, (values, insert)


def rests_on(desk: Desk, ground: Ground) -> RestsOn:
    """Return the versions a person's token is made from; the commit checks them."""
    return RestsOn(desk.picture.epoch, ground.account_id, ground.standing.version)


def issued(name: str, client: ClientFacts, ground: Ground, jti: str, scope: str) -> Event:
    """Return the event of issued tokens."""
    return Event(
        name,
        account=ground.account_id,
        provider=ground.standing.provider_id,
        client=client.client_id,
        channel=client.channel,
        session=ground.session_id,
        details={"jti": jti, "family": ground.family_id, "scope": scope, "audience": ground.audience},
    )
