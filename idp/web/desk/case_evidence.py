"""What a case rests on, row by row, and the login's records around it drawn in lanes by device, place or practice."""

import base64
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import humans
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
from idp.sharing import words
from idp.web.desk import drawing, shown

LANES = {"device": "device", "place": "network address", "practice": "practice"}
_DRAWN = 200
_BEFORE = timedelta(days=1)
_MOST = 60
_ELSEWHERE = ("security.", "notices.")
"""What the service and its staff record about a person: nothing their login did."""
_NOBODYS = ("accounts.login.refused", "entitlements.decision.made")
"""What is recorded of a login before anybody is signed in, or when an app asks with a key of its own."""
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
            kept["kinds"].append(_title(reason))
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


def weighed(db: Db, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a finding comes to its score: each kind in people's words, the start, the sum, and when it was."""
    zone = ZoneInfo(of(db).settings.time_zone)
    kinds = []
    for reason in sorted(evidence.get("reasons", ()), key=lambda one: -float(one.get("log_odds", 0))):
        rows = list({str(row.get("record", row)): row for row in reason.get("rows", ())}.values())
        moments = [one for one in (_moment(str(row.get("at", ""))) for row in rows) if one is not None]
        listed = len({moment.astimezone(zone).date() for moment in moments})
        kinds.append(
            {
                "title": _title(reason),
                "words": reason.get("words", ""),
                "log_odds": float(reason.get("log_odds", 0)),
                "days": reason.get("days", 1),
                "listed": listed,
                "records": len(rows),
            }
        )
    total = float(evidence.get("log_odds", 0))
    return {
        "kinds": kinds,
        "total": total,
        "start": total - sum(one["log_odds"] for one in kinds),
        "until": _moment(str(evidence.get("to", ""))),
    }


def _title(reason: Mapping[str, Any]) -> str:
    kind = str(reason.get("kind", ""))
    return words.KINDS.get(kind, kind.replace("_", " "))


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
    """Draw what the account did around the evidence; None where it did nothing."""
    if case.account_id is None:
        return None
    by = by if by in LANES else "device"
    begins, ends = labels.window(db, case)
    filters = Filters(person=case.account_id, since=begins - _BEFORE, until=max(ends, clock.now()) + _BEFORE)
    own = humans.same(db, case.account_id)
    rows = [row for row in search.newest(db, filters, 2 * _DRAWN) if _by_login(row, own)][:_DRAWN]
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
        "slim": drawing.timeline(rows, lane, drawing.SLIM),
        "rows": rows,
        "names": names,
        "devices": devices,
        "places": places,
        "zone": saying.zone_name(rows[0].at, of(db).settings.time_zone),
        "search": shown.address(filters),
    }


def _by_login(row: Any, own: Collection[str]) -> bool:
    """Say whether a record is of something the person's login did, and not of what others did about the person."""
    if row.event.startswith(_ELSEWHERE):
        return False
    actor = row.actor_id or ""
    if actor.startswith("acc_"):
        return actor in own
    if actor in ("operator", "system") or row.account_id not in own:
        return False
    in_a_browser = row.device_id is not None or row.session_id is not None
    return in_a_browser or row.event in _NOBODYS


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
