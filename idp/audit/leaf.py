"""Turn an event and its origin into the exact bytes that are kept and sealed (decisions.md 8)."""

import base64
import hmac
from datetime import datetime
from hashlib import sha256

import orjson

from idp import clock
from idp.audit.events import Event
from idp.audit.origin import Origin
from idp.envelope import KeyRing, seal_with

VERSION = 1
COLUMNS = (
    "created_at",
    "at",
    "event",
    "outcome",
    "actor_id",
    "account_id",
    "provider_id",
    "entitlement",
    "client_id",
    "session_id",
    "device_id",
    "decision_id",
    "request_id",
    "reason",
    "address_hash",
    "leaf",
    "mac",
)
"""Order of the values of `row`, as columns of audit_record."""


def row(event: Event, origin: Origin, at: datetime, ring: KeyRing, subject_key: bytes | None) -> tuple[object, ...]:
    """Return one record as column values.

    `subject_key` is the 32-byte key of the person the personal fields belong to; required when there
    are any. The network address and browser are personal too while a person acts.
    """
    personal = dict(event.personal)
    address_hash = None
    if origin.address:
        address_hash = ring.keyed_hash("subjects", origin.address)[:16]
        if subject_key is not None:
            personal["address"] = origin.address
            if origin.user_agent:
                personal["user_agent"] = origin.user_agent[:200]
    body: dict[str, object] = {
        "v": VERSION,
        "at": clock.iso(at),
        "event": event.name,
        "outcome": event.outcome,
        "actor": origin.actor_id,
        "account": event.account,
        "provider": event.provider or origin.provider_id,
        "entitlement": event.entitlement,
        "client": event.client or origin.client_id,
        "channel": event.channel or origin.channel,
        "session": event.session or origin.session_id,
        "device": origin.device_id,
        "purpose": event.purpose,
        "decision": event.decision,
        "request": origin.request_id,
        "reason": event.reason,
    }
    body = {name: value for name, value in body.items() if value is not None}
    if origin.acr:
        body["auth"] = {"acr": origin.acr, "amr": list(origin.amr)}
    if event.details:
        body["details"] = event.details
    if address_hash is not None and subject_key is None:
        body["address"] = origin.address
    if personal:
        if subject_key is None:
            raise ValueError(f"{event.name}: person fields need a subject key")
        owner = event.account or origin.actor_id or ""
        body["personal_of"] = owner
        sealed = seal_with(subject_key, orjson.dumps(personal), f"audit:{owner}")
        body["personal"] = base64.b64encode(sealed).decode()
    leaf = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    moment = clock.micros(at)
    return (
        moment,
        moment,
        event.name,
        event.outcome,
        origin.actor_id,
        event.account,
        body.get("provider"),
        event.entitlement,
        body.get("client"),
        body.get("session"),
        origin.device_id,
        event.decision,
        origin.request_id,
        event.reason,
        address_hash,
        leaf,
        mac(ring, leaf),
    )


def mac(ring: KeyRing, leaf: bytes) -> bytes:
    """Return the keyed hash that says this service wrote the leaf."""
    return hmac.new(ring.oldest("subjects"), b"leaf:" + leaf, sha256).digest()
