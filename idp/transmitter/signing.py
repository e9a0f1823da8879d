"""Make the token of a delivery, signed at the moment it is sent with the key that signs then."""

import threading
from datetime import datetime

import orjson
from sqlalchemy import text
from sqlmodel import Session as Db

from idp import clock
from idp.database import of
from idp.oauth import keys
from idp.signals.stream_tables import SignalDelivery
from idp.signatures import Key, key_from_jwk, sign

SET_TYP, LOGOUT_TYP = "secevent+jwt", "logout+jwt"
_ACTIVE = text("SELECT kid, private FROM signing_key WHERE alg = 'ES256' AND state = 'active'")
LOGOUT_SECONDS = 120
"""How long a logout token is good (Back-Channel Logout 1.0, 2.4: two minutes at most)."""
_known: dict[str, Key] = {}
_lock = threading.Lock()


def active_key(db: Db) -> Key:
    """Return the key that signs now; opened once."""
    kid, sealed = db.execute(_ACTIVE).one()
    with _lock:
        key = _known.get(kid)
        if key is None:
            _known.clear()
            key = _known[kid] = key_from_jwk(
                orjson.loads(of(db).ring.open("signing", keys.place(kid), bytes(sealed))), "ES256"
            )
    return key


def token_of(db: Db, delivery: SignalDelivery, now: datetime | None = None) -> str:
    """Return the signed token of a delivery; its `jti` stays the same however often it is sent."""
    at = int((now or clock.now()).timestamp())
    claims = {
        "iss": of(db).settings.issuer,
        "aud": delivery.client_id,
        "iat": at,
        "jti": delivery.jti,
        **delivery.claims,
    }
    if delivery.method == "logout":
        claims["exp"] = at + LOGOUT_SECONDS
    return sign(claims, active_key(db), LOGOUT_TYP if delivery.method == "logout" else SET_TYP)
