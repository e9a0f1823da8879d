"""What the detector remembers, as rows: loaded for the accounts of one round, saved where it changed."""

import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import TypeAdapter
from sqlalchemy import bindparam, text
from sqlmodel import Session as Db

from idp.accounts.devices import form_of
from idp.sharing.live.networks import Networks, described, remembered
from idp.sharing.state import AccountMemory, DeviceMemory, Memory, NetworkMemory, ProviderMemory

VISITS, POLLS, MARKS = 16, 24, 6
"""Sessions of one account, functions of one session, records of one kind of evidence that are remembered."""
_CHUNK = 400


@dataclass(slots=True)
class Visit:
    """A session: its device, the network it was last seen on, and when each function was last asked for."""

    device: str
    network: str = ""
    address: str = ""
    """Keyed hash of the address, in hexadecimal, that the network was read from."""
    provider: str = ""
    asked: float = 0.0
    """When its first login was proved; a second step right after it answers what was asked then."""
    polls: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By function: when it was last asked for, and how long after the time before."""


@dataclass(slots=True)
class Mark:
    """A record that evidence rests on."""

    record: int
    at: float
    device: str
    network: str
    provider: str
    session: str
    function: str


@dataclass(slots=True)
class Known:
    """One account as the service remembers it: the detector's memory and what makes events of records."""

    memory: AccountMemory
    visits: dict[str, Visit] = field(default_factory=dict)
    marks: dict[str, list[Mark]] = field(default_factory=dict)
    """By what and kind, such as "sharing role_split"."""


_KNOWN: TypeAdapter[Known] = TypeAdapter(Known)
_DEVICE: TypeAdapter[DeviceMemory] = TypeAdapter(DeviceMemory)
_NETWORK: TypeAdapter[NetworkMemory] = TypeAdapter(NetworkMemory)
_PROVIDER: TypeAdapter[ProviderMemory] = TypeAdapter(ProviderMemory)
_SELECT = text("SELECT name, body FROM sharing_memory WHERE kind = :kind AND name IN :names").bindparams(
    bindparam("names", expanding=True)
)
_LABELS = text("SELECT id, label FROM device WHERE id IN :ids").bindparams(bindparam("ids", expanding=True))
_SAVE = text(
    "INSERT INTO sharing_memory (kind, name, body, touched_at, created_at) VALUES (:kind, :name, :body, :at, :at) "
    "ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body, touched_at = excluded.touched_at"
)


def packed(value: object) -> bytes:
    """Write a memory in the form its row keeps."""
    return zlib.compress(orjson.dumps(value), 1)


def account(body: bytes) -> Known:
    """Read an account's row."""
    return _KNOWN.validate_json(zlib.decompress(body))


def network(body: bytes) -> NetworkMemory:
    """Read a network's row."""
    return _NETWORK.validate_json(zlib.decompress(body))


def load_accounts(db: Db, names: Collection[str]) -> dict[str, Known]:
    """Return what is known of these accounts; a stranger's memory is empty."""
    found = {name: account(body) for name, body in _rows(db, "account", names)}
    return {name: found.get(name) or Known(AccountMemory(name)) for name in names}


def load_around(
    db: Db, known: Iterable[Known], devices: Collection[str], networks: Collection[str], *, places: Networks
) -> tuple[Memory, dict[str, bytes]]:
    """Return a memory that holds everything acts of these accounts may touch, and the networks as they were."""
    memory, devices, networks = Memory(), set(devices), set(networks)
    for one in known:
        mine = one.memory
        memory.accounts[mine.account] = mine
        devices |= mine.devices.keys() | mine.today.desks.keys() | {touch.device for touch in mine.touches}
        devices |= {touch.device for touch in mine.places.values()}
        networks |= mine.networks.keys() | mine.places.keys() | {touch.network for touch in mine.touches}
    for name, body in _rows(db, "device", devices):
        memory.devices[name] = _DEVICE.validate_json(zlib.decompress(body))
    for name, form in _forms(db, devices - memory.devices.keys()):
        memory.devices[name] = DeviceMemory(form=form)
    # Whoever was there: a network that is touched without having been read would be written over as if it were new.
    networks |= {one.network for one in memory.devices.values() if one.network}
    before: dict[str, bytes] = {}
    for name, body in _rows(db, "network", networks):
        raw = zlib.decompress(body)
        memory.networks[name], before[name] = _NETWORK.validate_json(raw), raw
    for name in networks:
        line = places.named(name)
        if name not in memory.networks:
            memory.networks[name] = remembered(line)
        elif line is not None:
            described(memory.networks[name], line)
    return memory, before


def load_providers(db: Db, memory: Memory, names: Collection[str], zone: str) -> None:
    """Put the practices that acts of this round may touch into the memory; their clock is the deployment's."""
    for name, body in _rows(db, "provider", names):
        memory.providers[name] = _PROVIDER.validate_json(zlib.decompress(body))
    for name in names:
        memory.providers.setdefault(name, ProviderMemory(time_zone=zone)).time_zone = zone


def save(db: Db, rows: Iterable[tuple[str, str, bytes]], at: int) -> None:
    """Save memories: kind, name and body each; `at` in microseconds."""
    values: list[dict[str, Any]] = [
        {"kind": kind, "name": name, "body": body, "at": at} for kind, name, body in sorted(rows)
    ]
    if values:
        db.execute(_SAVE, values)


def forget(db: Db, accounts: Iterable[str]) -> None:
    """Forget people whose fields were destroyed: what they did is not theirs to find any more."""
    for account_id in accounts:
        db.execute(text("DELETE FROM sharing_memory WHERE kind = 'account' AND name = :a"), {"a": account_id})
        for table in ("sharing_score", "sharing_day"):
            db.execute(text(f"DELETE FROM {table} WHERE account_id = :a"), {"a": account_id})  # noqa: S608 - our own


def _rows(db: Db, kind: str, names: Collection[str]) -> Iterable[tuple[str, bytes]]:
    wanted = sorted(names)
    for start in range(0, len(wanted), _CHUNK):
        for name, body in db.execute(_SELECT, {"kind": kind, "names": wanted[start : start + _CHUNK]}):
            yield name, bytes(body)


def _forms(db: Db, ids: Collection[str]) -> Iterable[tuple[str, Any]]:
    wanted = sorted(ids)
    for start in range(0, len(wanted), _CHUNK):
        for device_id, label in db.execute(_LABELS, {"ids": wanted[start : start + _CHUNK]}):
            yield device_id, form_of(label)
