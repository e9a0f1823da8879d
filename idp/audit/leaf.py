"""Turn an event and its origin into the exact bytes that are kept and sealed (decisions.md 8)."""

import base64
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

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
MEMBERS = tuple(_REPEATED.values())
"""The members of the leaf those columns repeat, but for `at`; in the same order."""
_INDEXED = frozenset(_REPEATED.values())
_EASY, _SHORT, _LONG, _MANY = 1500, 200, 4000, 200
"""Bytes of a leaf that needs no second look; characters of a column, of another text; members of a list."""


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
        address_hash = _address_hash(ring, origin.address)
        if subject is not None:
            personal["address"] = origin.address
            if origin.user_agent:
                personal["user_agent"] = origin.user_agent[:200]
    columns: list[Any] = [
        event.name,
        event.outcome,
        origin.actor_id,
        event.account,
        event.provider or origin.provider_id,
        event.entitlement,
        event.client or origin.client_id,
        event.session or origin.session_id,
        origin.device_id,
        event.decision,
        origin.request_id,
        event.reason,
    ]
    body: dict[str, object] = {name: value for name, value in zip(MEMBERS, columns, strict=True) if value is not None}
    body |= {"v": VERSION, "id": entropy.mark(), "at": exact(at)}
    channel = event.channel or origin.channel
    if channel is not None:
        body["channel"] = channel
    if event.purpose is not None:
        body["purpose"] = event.purpose
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
    leaf = _dumped(body)
    if leaf is None:
        ciphertext = body.pop("personal", None)
        body = {name: _tamed(value, _SHORT if name in _INDEXED else _LONG) for name, value in body.items()}
        if ciphertext is not None:
            body["personal"] = ciphertext
        leaf = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
        columns = [body.get(member) for member in MEMBERS]
    moment = clock.micros(at)
    return (moment, moment, *columns, address_hash, leaf, mac(ring, leaf))


@lru_cache(maxsize=1024)
def _address_hash(ring: KeyRing, address: str) -> bytes:
    """Return what a network address is found by; apps ask from a few addresses, again and again."""
    return ring.keyed_hash("subjects", address)[:16]


def _dumped(body: dict[str, object]) -> bytes | None:
    """Return the leaf; None where a value must be tamed first, which few ever must."""
    try:
        leaf = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # half of a surrogate pair
        return None
    return None if len(leaf) > _EASY or b"\\u0000" in leaf else leaf


def _tamed(value: Any, most: int) -> Any:
    """Make text of strangers storable: PostgreSQL takes no NUL, JSON no half surrogates, an index no long value."""
    if isinstance(value, str):
        value = value.replace("\x00", "\u2400").encode("utf-8", "replace").decode()
        return value if len(value) <= most else value[: most - 1] + "\u2026"
    if isinstance(value, dict):
        return {_tamed(str(name), _SHORT): _tamed(item, most) for name, item in list(value.items())[:_MANY]}
    if isinstance(value, list | tuple):
        return [_tamed(item, most) for item in value[:_MANY]]
    return value


@lru_cache(maxsize=4)
def exact(at: datetime) -> str:
    """Return the moment in UTC with microseconds, so that the column `at` can be checked against it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def differing(body: dict[str, object], columns: Sequence[object]) -> list[str]:
    """Name the columns (values in the order of CHECKED) that do not say what the leaf says."""
    at, *others = columns
    names: list[str] = []
    if [body.get(member) for member in MEMBERS] != others:
        names = [column for (column, member), v in zip(_REPEATED.items(), others, strict=True) if body.get(member) != v]
    said = body.get("at")
    try:
        matches = isinstance(said, str) and clock.micros(datetime.fromisoformat(said)) == at
    except ValueError:
        matches = False
    return names if matches else ["at", *names]


def mac_key(ring: KeyRing) -> bytes:
    """Return the key of `mac`, for who needs it many times."""
    return ring.oldest("subjects")


def mac_under(key: bytes, leaf: bytes) -> bytes:
    """Return the keyed hash that says this service wrote the leaf."""
    found = _keyed(key).copy()
    found.update(leaf)
    return found.digest()


@lru_cache(maxsize=8)
def _keyed(key: bytes) -> hmac.HMAC:
    """Return the hash with the key taken in; `hmac.digest` lets other threads run, and then waits for its turn."""
    return hmac.new(key, b"leaf:", "sha256")


def mac(ring: KeyRing, leaf: bytes) -> bytes:
    """Return the keyed hash that says this service wrote the leaf."""
    return mac_under(mac_key(ring), leaf)


def raw(value: bytes | str) -> bytes:
    """Return a column's bytes; SQLite lets whoever has the file put text there, which is then not what was sealed."""
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
