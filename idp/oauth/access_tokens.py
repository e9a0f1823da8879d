"""Access tokens: how they are made (RFC 9068) and how we check our own.

A token's jti begins with its family's id, so a check can find the family without a claim of its own.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from idp import clock, entropy
from idp.database.lane import Lane, RestsOn
from idp.oauth import liveness
from idp.oauth.client_facts import ClientFacts
from idp.oauth.keys import ALGORITHMS
from idp.oauth.liveness import Standing
from idp.oauth.memory import Memory, Picture
from idp.signatures import BadToken, SignedClaims, sign

TYP = "at+jwt"
REQUIRED = ("iss", "sub", "aud", "client_id", "iat", "exp", "jti")


def new_jti(family_id: str | None = None) -> str:
    """Return a token's id; of a person's token, it begins with the family's id."""
    return f"{family_id}.{entropy.token(16)}" if family_id else entropy.token(16)


def family_of(jti: str) -> str | None:
    """Return the family a jti names, None for a service's token."""
    head, dot, _ = jti.partition(".")
    return head if dot else None


def mint(
    picture: Picture,
    issuer: str,
    client: ClientFacts,
    *,
    subject: str,
    audience: str,
    scope: str,
    now: datetime,
    jti: str,
    more: dict[str, Any] | None = None,
) -> tuple[str, int]:
    """Sign an access token; return it with its lifetime in seconds."""
    lifetime = int(picture.configuration.clocks.access_token.total_seconds())
    issued = clock.micros(now) // 1_000_000
    claims: dict[str, Any] = {
        "iss": issuer,
        "sub": subject,
        "aud": audience,
        "client_id": client.client_id,
        "iat": issued,
        "exp": issued + lifetime,
        "jti": jti,
        "scope": scope,
        "channel": client.channel,
    }
    if more:
        claims |= more
    server = picture.audiences.get(audience)
    return sign(claims, picture.keys.signer(server.algorithm if server else "ES256"), TYP), lifetime


def read_claims(
    token: str, memory: Memory, picture: Picture, issuer: str, *, audience: str | None, now: datetime
) -> SignedClaims:
    """Return the claims of an access token of ours; raise BadToken."""
    return memory.proved.verify(
        token,
        picture.keys.published,
        algorithms=ALGORITHMS,
        typ=TYP,
        issuer=issuer,
        audience=audience,
        now=now,
        leeway=picture.leeway,
        required=REQUIRED,
    )


@dataclass(frozen=True, slots=True)
class Checked:
    """An access token that is in force at this moment, and what it rests on."""

    claims: SignedClaims
    client: ClientFacts
    standing: Standing | None
    """None for a service's token."""
    more: tuple[Any, ...]
    picture: Picture
    rests_on: RestsOn
    """What the commit of an answer checks, so that it holds at that moment too."""


class NotInForce(Exception):
    """The token is genuine no more: ended, revoked, or something it rests on no longer holds."""

    def __init__(self, reason: str, claims: SignedClaims | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.claims = claims


Recall = Literal["nothing", "services", "people"]
"""Whose tokens may be answered for from memory: nobody's, those of services, those of people too."""


async def check(
    token: str,
    memory: Memory,
    lane: Lane,
    issuer: str,
    *,
    audience: str | None,
    with_person: bool = False,
    recall: Recall = "nothing",
) -> Checked:
    """Verify a token and ask, with one statement, whether it is still in force; raise NotInForce otherwise.

    With `recall` what was read before may serve in place of that statement: the caller must then commit
    on `rests_on`, and when that is Stale, ask again recalling nothing. A refusal is never from memory.
    """
    picture = await memory.picture(lane)
    for _ in range(3):
        now = clock.now()
        try:
            claims = read_claims(token, memory, picture, issuer, audience=audience, now=now)
        except BadToken as problem:
            # The keys may have been rotated since: ask once for the present picture.
            newer = await memory.recent(lane)
            if problem.reason == "unknown_key" and newer.epoch != picture.epoch:
                picture = newer
                continue
            raise NotInForce(problem.reason) from None
        jti = str(claims["jti"])
        family = family_of(jti)
        if family is None:
            if recall != "nothing" and _usable(claims, picture):
                return _service(claims, None, picture)
            [row] = await lane.fetch(liveness.SERVICE, jti)
            if row[0] == picture.epoch:
                return _service(claims, row[1], picture)
        else:
            values = (str(claims["sub"]), str(claims.get("sid", "")), family, claims.get("provider"))
            moments = liveness.moments(picture, now)
            key = (*values, with_person)
            if recall == "people" and (known := memory.standings.row(key, picture.epoch, moments)) is not None:
                with suppress(NotInForce):
                    return _person(claims, known, picture, now)
            statement = liveness.TOKEN_AND_PERSON if with_person else liveness.TOKEN
            [row] = await lane.fetch(statement, *moments, *values, jti)
            if row[0] == picture.epoch:
                checked = _person(claims, row, picture, now)
                memory.standings.keep(key, row, moments, liveness.added(row)[1])
                return checked
        picture = await memory.renew(lane, picture.epoch)
    raise NotInForce("changing")


def _usable(claims: SignedClaims, picture: Picture) -> bool:
    client = picture.clients.get(str(claims["client_id"]))
    return client is not None and client.usable


def _service(claims: SignedClaims, revoked: object, picture: Picture) -> Checked:
    if not _usable(claims, picture):
        raise NotInForce("client_not_allowed", claims)
    if revoked is not None:
        raise NotInForce("token_revoked", claims)
    client = picture.clients[str(claims["client_id"])]
    return Checked(claims, client, None, (), picture, RestsOn(picture.epoch, jti=str(claims["jti"])))


def _person(claims: SignedClaims, row: Sequence[Any], picture: Picture, now: datetime) -> Checked:
    client = picture.clients.get(str(claims["client_id"]))
    found = liveness.standing(row)
    revoked, _, *more = liveness.added(row)
    if revoked is not None:
        raise NotInForce("token_revoked", claims)
    if found.family_id is None:
        raise NotInForce("family_ended", claims)
    if claims.get("authz_epoch", 0) < found.authz_epoch:
        raise NotInForce("access_changed", claims)
    reason = liveness.refusal(found, client, picture, now, for_provider=claims.get("provider"))
    if reason is not None:
        raise NotInForce(reason, claims)
    assert client is not None
    rests_on = RestsOn(
        picture.epoch,
        found.account_id,
        found.version,
        jti=str(claims["jti"]),
        family_id=found.family_id,
        session_id=str(claims["sid"]),
    )
    return Checked(claims, client, found, tuple(more), picture, rests_on)
