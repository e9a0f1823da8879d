"""One signed answer of the feed of revocations: who made it, for whom, and as the answer to which question."""

from collections.abc import Mapping
from typing import Any

from jose import jws
from jose.exceptions import JOSEError

from idp.resource_server.problems import IssuerUnavailable, TokenRefused
from idp.resource_server.verify import KeySource, read_header, read_once

TYP = "revocations+jwt"
LIMIT = 1_000_000
"""Characters of one answer."""


class Frames:
    """Opens the answers of one issuer's feed for one client; remembers who signed last.

    A key that was followed by another signs no more, though it is still published for the tokens it signed:
    whoever has an old key cannot silence the feed with it.
    """

    def __init__(self, *, issuer: str, client_id: str, keys: KeySource) -> None:
        self._issuer, self._client_id, self._keys = issuer, client_id, keys
        self._signer: str | None = None
        self._followed: set[str] = set()

    async def open(self, answer: bytes, *, nonce: str, after: int | None) -> Mapping[str, Any]:
        """Return the claims of a genuine answer to this very question; raise IssuerUnavailable otherwise."""
        try:
            kid, claims = await self._genuine(answer.decode("ascii"))
        except (TokenRefused, JOSEError, UnicodeDecodeError, ValueError, TypeError) as problem:
            raise IssuerUnavailable(f"the feed's answer is not genuine: {problem}") from None
        asked = {"iss": self._issuer, "aud": self._client_id, "nonce": nonce, "after": after}
        for name, value in asked.items():
            if claims.get(name) != value or type(claims.get(name)) is not type(value):
                raise IssuerUnavailable(f"the feed's answer is not for this question: {name}")
        if self._signer is not None and self._signer != kid:
            self._followed.add(self._signer)
        self._signer = kid
        return claims

    async def _genuine(self, token: str) -> tuple[str, dict[str, Any]]:
        header = read_header(token, LIMIT)
        kid = header.get("kid")
        if header.get("typ") != TYP or header.get("alg") != "ES256" or not isinstance(kid, str):
            raise TokenRefused("not an answer of the feed")
        if kid in self._followed:
            raise TokenRefused("signed with a key that was replaced")
        key = await self._keys.key(kid)
        if key is None or key.alg != "ES256":
            raise TokenRefused("signed with a key that is not published")
        return kid, read_once(jws.verify(token, key.key, algorithms=["ES256"]))


def last_of(claims: Mapping[str, Any], after: int | None) -> int:
    """Return the number an answer ends at; raise IssuerUnavailable where it goes back or says nothing usable."""
    last = claims.get("last")
    if type(last) is not int or type(claims.get("more")) is not bool:
        raise IssuerUnavailable("the feed's answer does not say where it ends")
    if after is not None and last < after:
        raise IssuerUnavailable("the feed goes back")
    return last


def entries_of(claims: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the revocations of an answer; raise IssuerUnavailable when there are none to read."""
    listed = claims.get("revocations")
    if not isinstance(listed, list):
        raise IssuerUnavailable("the feed's answer holds no revocations")
    for one in listed:
        if not isinstance(one, dict) or type(one.get("seq")) is not int:
            raise IssuerUnavailable("a revocation without a number")
    return listed
