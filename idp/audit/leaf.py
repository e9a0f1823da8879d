"""Turn an event and its origin into the exact bytes that are kept and sealed (decisions.md 8)."""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import orjson

from idp import clock, entropy
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


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose the personal fields of a record are, and the key they are kept under."""

    owner: str
    key: bytes | None
    """32 bytes; None once it was destroyed: then nothing personal is kept at all."""


def row(
    event: Event, origin: Origin, at: datetime, ring: KeyRing, subject: Subject | None = None
) -> tuple[object, ...]:
    """Return one record as column values.

    `subject` is required when there are personal fields. The network address and browser are personal
    too while a person acts; without a subject the address is a service's and stays readable.
    """
    personal = dict(event.personal) if subject is None or subject.key is not None else {}
    address_hash = None
    if origin.address and (subject is None or subject.key is not None):
        address_hash = ring.keyed_hash("subjects", origin.address)[:16]
        if subject is not None:
            personal["address"] = origin.address
            if origin.user_agent:
                personal["user_agent"] = origin.user_agent[:200]
    body: dict[str, object] = {
        "v": VERSION,
        "id": entropy.token(12),
        "at": exact(at),
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
    if address_hash is not None and subject is None:
        body["address"] = origin.address
    if personal:
        if subject is None or subject.key is None:
            raise ValueError(f"{event.name}: person fields need a subject key")
        body["personal_of"] = subject.owner
        sealed = seal_with(subject.key, orjson.dumps(personal), f"audit:{subject.owner}")
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


def exact(at: datetime) -> str:
    """Return the moment in UTC with microseconds, so that the column `at` can be checked against it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_REPEATED = {
    "event": "event",
    "outcome": "outcome",
    "actor_id": "actor",
    "account_id": "account",
    "provider_id": "provider",
    "entitlement": "entitlement",
    "client_id": "client",
    "session_id": "session",
    "device_id": "device",
    "decision_id": "decision",
    "request_id": "request",
    "reason": "reason",
}
CHECKED = ("at", *_REPEATED)
"""The columns that repeat what the leaf says."""


def differing(body: dict[str, object], columns: Sequence[object]) -> list[str]:
    """Name the columns (values in the order of CHECKED) that do not say what the leaf says."""
    at, *others = columns
    names = [
        column for (column, member), value in zip(_REPEATED.items(), others, strict=True) if body.get(member) != value
    ]
    said = body.get("at")
    try:
        matches = isinstance(said, str) and clock.micros(datetime.fromisoformat(said)) == at
    except ValueError:
        matches = False
    return names if matches else ["at", *names]


def mac(ring: KeyRing, leaf: bytes) -> bytes:
    """Return the keyed hash that says this service wrote the leaf."""
    return hmac.new(ring.oldest("subjects"), b"leaf:" + leaf, sha256).digest()
