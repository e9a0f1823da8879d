"""What is known of the identity service: its metadata, its keys and a token of our own to call it with.

Everything is fetched with a time-out and a size limit, never through redirects, and only from the issuer's own
origin. Keys are cached within bounds (security.md 34 and 55): a `kid` is only ever looked up.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx2
from jose import jwk
from jose.exceptions import JOSEError

from idp.resource_server.problems import IssuerUnavailable
from idp.resource_server.verify import ALGORITHMS, VerificationKey

_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})")
_LIMIT = 256_000
"""Bytes of an answer we are willing to read."""
_MAX_KEYS = 32
_RSA_2048 = 342
"""Characters of a 2048-bit modulus in base64url."""


class Issuer:
    """One identity service, as this app knows it.

    Keys live as long as the answer's max-age says, but at least `keys_at_least` and at most `keys_at_most`
    seconds; an unknown kid asks again, at most once per `unknown_kid_every` seconds; when the service does not
    answer, the last good keys are used for `keys_last_good` seconds more and no longer.
    """

    def __init__(
        self,
        url: str,
        *,
        http: httpx2.AsyncClient,
        keys_at_least: float = 10.0,
        keys_at_most: float = 300.0,
        unknown_kid_every: float = 60.0,
        keys_last_good: float = 3600.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Name the issuer exactly as its tokens do: an origin without a trailing slash."""
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != url:
            raise ValueError("the issuer is an origin only: no path, no trailing slash")
        self.url = url
        self.http = http
        self._at_least, self._at_most = keys_at_least, keys_at_most
        self._unknown_every, self._last_good = unknown_kid_every, keys_last_good
        self._now = monotonic
        self._metadata: Mapping[str, Any] | None = None
        self._metadata_until = 0.0
        self._keys: dict[str, VerificationKey] = {}
        self._keys_until = self._keys_usable_until = 0.0
        self._asked_for_unknown = -unknown_kid_every
        self._retry_after = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def metadata(self) -> Mapping[str, Any]:
        """Return the discovery document, at most an hour old; raise IssuerUnavailable without one."""
        if self._metadata is None or self._now() >= self._metadata_until:
            found, _ = await self._get(f"{self.url}/.well-known/openid-configuration")
            if found.get("issuer") != self.url:
                raise IssuerUnavailable("discovery names another issuer")
            self._metadata, self._metadata_until = found, self._now() + 3600
        return self._metadata

    async def endpoint(self, name: str) -> str:
        """Return an endpoint of the metadata (such as `token_endpoint`), on the issuer's own origin."""
        where = (await self.metadata()).get(name)
        if not isinstance(where, str) or not where.startswith(self.url + "/"):
            raise IssuerUnavailable(f"{name} is missing or lies elsewhere")
        return where

    async def key(self, kid: str) -> VerificationKey | None:
        """Return the published key with this id; None when there is none, or none we may still rely on."""
        now = self._now()
        if now < self._keys_until:
            found = self._keys.get(kid)
            if found is not None or now < self._asked_for_unknown + self._unknown_every:
                return found
        async with self._one_at_a_time:
            now = self._now()
            fresh = now < self._keys_until
            if fresh and kid not in self._keys and now >= self._asked_for_unknown + self._unknown_every:
                self._asked_for_unknown = now
                fresh = False
            if not fresh and now >= self._retry_after:
                await self._fetch_keys()
        return self._keys.get(kid) if self._now() < self._keys_usable_until else None

    async def _fetch_keys(self) -> None:
        try:
            body, age = await self._get(await self.endpoint("jwks_uri"))
        except IssuerUnavailable:
            self._retry_after = self._now() + 1.0
            return
        self._keys = _read_keys(body)
        lifetime = self._at_most if age is None else min(max(float(age), self._at_least), self._at_most)
        self._keys_until = self._now() + lifetime
        self._keys_usable_until = self._keys_until + self._last_good

    async def _get(self, where: str) -> tuple[dict[str, Any], int | None]:
        try:
            async with self.http.stream("GET", where, headers={"Accept": "application/json"}) as answer:
                if answer.status_code != 200:
                    raise IssuerUnavailable(f"{where} answered {answer.status_code}")
                body = b""
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > _LIMIT:
                        raise IssuerUnavailable(f"{where} answered too much")
        except httpx2.HTTPError as problem:
            raise IssuerUnavailable(f"{where} did not answer: {type(problem).__name__}") from None
        age = _MAX_AGE.search(answer.headers.get("cache-control", ""))
        return read_object(body), int(age[1]) if age else None


def read_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object; raise IssuerUnavailable for anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise IssuerUnavailable("the answer is not JSON") from None
    if not isinstance(found, dict):
        raise IssuerUnavailable("the answer is not a JSON object")
    return found


def _read_keys(body: Mapping[str, Any]) -> dict[str, VerificationKey]:
    """Construct every usable key; what we cannot use is left out, not fatal, so that new kinds may be published."""
    made: dict[str, VerificationKey] = {}
    listed = body.get("keys")
    for entry in listed[:_MAX_KEYS] if isinstance(listed, list) else ():
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig" or "d" in entry:
            continue
        kid, alg = entry.get("kid"), entry.get("alg") or {"EC": "ES256", "RSA": "RS256"}.get(str(entry.get("kty")))
        fits = (alg == "ES256" and entry.get("kty") == "EC" and entry.get("crv") == "P-256") or (
            alg == "RS256" and entry.get("kty") == "RSA" and len(str(entry.get("n"))) >= _RSA_2048
        )
        if not isinstance(kid, str) or alg not in ALGORITHMS or not fits or kid in made:
            continue
        try:
            made[kid] = VerificationKey(kid, str(alg), jwk.construct(entry, algorithm=str(alg)))
        except (JOSEError, ValueError, KeyError, TypeError):
            continue
    return made
