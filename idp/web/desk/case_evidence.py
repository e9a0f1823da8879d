"""What a case rests on, row by row, and the login's records around it drawn in lanes by device, place or practice."""

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts.tables import Device
from idp.audit import leaf, log, search
from idp.audit.search import Filters
from idp.audit.tables import AuditRecord
from idp.cases import labels
from idp.cases.tables import SecurityCase
from idp.database import of
from idp.entitlements.tables import Entitlement
from idp.envelope import CannotOpen, open_with
from idp.notices import saying
from idp.providers.tables import Provider
from idp.web.desk import drawing, shown

LANES = {"device": "device", "place": "network address", "practice": "practice"}
_DRAWN = 200
_BEFORE = timedelta(days=1)
_MOST = 60
_NAMES = ("record", "at", "device", "network", "provider", "function")


def rests_on(db: Db, evidence: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of a finding, newest first: each once, with the kinds of evidence it speaks for.

    It is never less than what a practice or the person is shown when they are asked (idp/cases/context.py).
    """
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for reason in evidence.get("reasons", ()):
        for row in reason.get("rows", ()):
            key = tuple(str(row.get(name, "")) for name in _NAMES)
            kept = found.setdefault(key, {name: row.get(name, "") for name in _NAMES} | {"kinds": []})
            kept["kinds"].append(str(reason.get("kind", "")).replace("_", " "))
    rows = sorted(found.values(), key=lambda row: str(row["at"]), reverse=True)[:_MOST]
    devices = _devices(db, {str(row["device"]) for row in rows})
    for row in rows:
        practice = db.get(Provider, str(row["provider"])[:64]) if row["provider"] else None
        row["practice"] = practice.name if practice else row["provider"]
        function = db.get(Entitlement, str(row["function"])[:64]) if row["function"] else None
        row["function"] = function.name if function else row["function"]
        row["known_device"] = devices.get(str(row["device"]), "")
        row["moment"] = _moment(str(row["at"]))
    return rows


def _moment(written: str) -> datetime | None:
    try:
        return datetime.fromisoformat(written)
    except ValueError:
        return None


def _devices(db: Db, ids: set[str]) -> dict[str, str]:
    """Return devices by the names people know them by, told apart by the end of their ids."""
    found = db.exec(select(Device.id, Device.label).where(col(Device.id).in_(ids))).all()
    return {str(key): f"{label or 'A browser'} ({key[-4:]})" for key, label in found}


def drawn(db: Db, case: SecurityCase, by: str) -> dict[str, Any] | None:
    """Draw the account's records around the evidence; None where there are none."""
    if case.account_id is None:
        return None
    by = by if by in LANES else "device"
    begins, ends = labels.window(db, case)
    filters = Filters(person=case.account_id, since=begins - _BEFORE, until=max(ends, clock.now()) + _BEFORE)
    rows = [row for row in search.newest(db, filters, _DRAWN) if not row.event.startswith("security.case.")]
    if not rows:
        return None
    names = shown.names(db, rows)
    devices = {row.device_id: row.device_id for row in rows if row.device_id}
    devices |= _devices(db, set(devices))
    places = _places(db, [row.seq for row in rows], case.account_id)
    lane = {
        "device": lambda row: devices.get(row.device_id, "no device"),
        "place": lambda row: places[row.seq],
        "practice": lambda row: names.get(row.provider_id, row.provider_id or "no practice"),
    }[by]
    return {
        "by": by,
        "timeline": drawing.timeline(rows, lane),
        "rows": rows,
        "names": names,
        "devices": devices,
        "places": places,
        "zone": saying.zone_name(rows[0].at, of(db).settings.time_zone),
        "search": shown.address(filters),
    }


def _places(db: Db, seqs: list[int], account_id: str) -> dict[int, str]:
    """Return the network address of each record as analysts see it; one record of each is opened for that."""
    query = select(AuditRecord.seq, AuditRecord.address_hash, AuditRecord.leaf).where(col(AuditRecord.seq).in_(seqs))
    key = log.subject_key(db, account_id)
    said: dict[bytes, str] = {}
    places: dict[int, str] = {}
    for seq, address_hash, stored in db.execute(query).all():
        if address_hash is None:
            places[seq] = "not known"
            continue
        mark = bytes(address_hash)
        if mark not in said:
            said[mark] = _address(leaf.raw(stored), key, account_id) or f"address {mark.hex()[:8]}"
        places[seq] = said[mark]
    return places


def _address(stored: bytes, key: bytes | None, account_id: str) -> str:
    try:
        whole = orjson.loads(stored)
        if key is None or whole.get("personal_of") != account_id:
            return ""
        personal = orjson.loads(open_with(key, base64.b64decode(whole["personal"]), f"audit:{account_id}"))
    except (orjson.JSONDecodeError, CannotOpen, ValueError, KeyError):
        return ""
    return str(personal.get("address", ""))
