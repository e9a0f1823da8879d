"""Our keys towards each upstream, for private_key_jwt (RFC 7523): one pair for each, so none can be replayed elsewhere.

The newest signs; it and the one before it are published at `/login/{upstream}/keys`, so an upstream that reads our
key set misses no change-over.
"""

from typing import Any

import orjson
from sqlmodel import Session as Db

from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import NotFound
from idp.federation.tables import TrustCommunity, Upstream
from idp.signals import epochs
from idp.signatures import Key, generate, key_from_jwk, key_from_pem

KEPT = 2
_ALGORITHM = "ES256"


def rotate(db: Db, upstream: Upstream) -> str:
    """Make a new key, which signs from now on; return its kid."""
    made = generate(_ALGORITHM)
    jwks = [orjson.loads(made.private_json()), *_stored(db, upstream)][:KEPT]
    upstream.client_keys = of(db).ring.seal("upstreams", _place(upstream), orjson.dumps(jwks))
    db.add(upstream)
    db.flush()
    details = {"upstream": upstream.id, "changed": ["client_keys"], "kid": made.kid}
    log.record(db, Event("federation.upstream.changed", details=details))
    epochs.changed_policy(db)
    return made.kid or ""


def signing(db: Db, upstream: Upstream) -> Key | None:
    """Return the key that signs, or None where there is none."""
    stored = _stored(db, upstream)
    return key_from_jwk(stored[0], _ALGORITHM) if stored else None


def of_community(db: Db, community: TrustCommunity) -> Key:
    """Return the key our certificate in a trust community is for."""
    return key_from_pem(of(db).ring.open("upstreams", place_of(community), community.private_key).decode())


def place_of(community: TrustCommunity) -> str:
    """Return the place a community's key is sealed for."""
    return f"trust_community.private_key:{community.id}"


def published(db: Db, upstream_id: str) -> dict[str, Any]:
    """Return the public half as a JWK set; raise NotFound for an upstream that needs none."""
    upstream = db.get(Upstream, upstream_id)
    stored = _stored(db, upstream) if upstream is not None else []
    if not stored:
        raise NotFound
    return {"keys": [key_from_jwk(one, _ALGORITHM).public_jwk() for one in stored]}


def _stored(db: Db, upstream: Upstream) -> list[dict[str, Any]]:
    if upstream.client_keys is None:
        return []
    read: list[dict[str, Any]] = orjson.loads(of(db).ring.open("upstreams", _place(upstream), upstream.client_keys))
    return read


def _place(upstream: Upstream) -> str:
    return f"upstream.client_keys:{upstream.id}"
