"""Open Cybersecurity Schema Framework 1.3: one JSON object a line, classes of Identity & Access Management."""

from ipaddress import ip_address
from typing import Any

from idp.audit.forms.entry import Entry, json_line

VERSION = "1.3.0"
_AUTHENTICATION, _AUTHORIZE, _ACCOUNT, _ACCESS, _ENTITY, _API = 3002, 3003, 3001, 3005, 3004, 6003
_NAMES = {
    _ACCOUNT: "Account Change",
    _AUTHENTICATION: "Authentication",
    _AUTHORIZE: "Authorize Session",
    _ENTITY: "Entity Management",
    _ACCESS: "User Access Management",
    _API: "API Activity",
}
_OF_A_USER = frozenset((_AUTHENTICATION, _AUTHORIZE, _ACCOUNT, _ACCESS))
_IN_A_SESSION = frozenset((_AUTHENTICATION, _AUTHORIZE))
"""Classes whose events have these members; the others' class has no such attribute."""
_PRODUCT = "identity and entitlements"
_UNMAPPED = ("provider", "entitlement", "channel", "purpose", "decision", "outcome", "auth", "details")
_OTHER = 99
_LOGGED_ON, _LOGGED_OFF = 1, 2
_KINDS: tuple[tuple[str, int, int], ...] = (
    ("accounts.login.succeeded", _AUTHENTICATION, _LOGGED_ON),
    ("accounts.login.refused", _AUTHENTICATION, _LOGGED_ON),
    ("accounts.login.linked", _ACCOUNT, _OTHER),
    ("accounts.login.", _ACCOUNT, _OTHER),
    ("accounts.session.ended", _AUTHENTICATION, _LOGGED_OFF),
    ("accounts.account.created", _ACCOUNT, 1),
    ("accounts.account.reinstated", _ACCOUNT, 2),
    ("accounts.account.suspended", _ACCOUNT, 5),
    ("accounts.account.closed", _ACCOUNT, 6),
    ("accounts.factor.added", _ACCOUNT, 10),
    ("accounts.factor.removed", _ACCOUNT, 11),
    ("accounts.", _ACCOUNT, _OTHER),
    ("entitlements.grant.added", _ACCESS, 1),
    ("entitlements.grant.ended", _ACCESS, 2),
    ("entitlements.grant.", _ACCESS, _OTHER),
    ("entitlements.decision.", _AUTHORIZE, 1),
    ("wam.appointment.made", _ACCESS, 1),
    ("wam.appointment.ended", _ACCESS, 2),
)
"""Beginning of an event's name, class, activity; the first that fits."""
_MANAGED = ("providers.", "partners.", "registration.", "federation.", "security.", "wam.", "service.")


def line(entry: Entry) -> bytes:
    """Return the record as one line; what the class of the event has no attribute for stands in `unmapped`."""
    kind, activity = _kind(entry.event)
    session, who = entry.text("session"), entry.text("account") or entry.text("actor")
    made: dict[str, Any] = {
        "category_uid": kind // 1000,
        "category_name": "Application Activity" if kind == _API else "Identity & Access Management",
        "class_uid": kind,
        "class_name": _NAMES[kind],
        "activity_id": activity,
        "type_uid": kind * 100 + activity,
        "time": int(entry.at.timestamp() * 1000),
        "severity_id": 4 if entry.grave else 3 if entry.refused else 1,
        "status_id": 2 if entry.refused else 1,
        "status": "Failure" if entry.refused else "Success",
        "message": entry.words,
        "metadata": {
            "version": VERSION,
            "profiles": ["host"],
            "uid": f"{entry.log}#{entry.number}",
            "sequence": entry.number,
            "event_code": entry.event,
            "correlation_uid": entry.text("request"),
            "product": {"name": _PRODUCT, "vendor_name": "idp"},
        },
        "actor": {"user": _user(entry.text("actor"))} | ({} if session is None else {"session": {"uid": session}}),
    }
    unmapped = [*_UNMAPPED]
    if activity == _OTHER:
        made["activity_name"] = entry.event
    if entry.text("reason") is not None:
        made["status_detail"] = entry.text("reason")
    if (address := _address(entry)) is not None:
        made["src_endpoint"] = {"ip": address}
    elif kind == _API:
        made["src_endpoint"] = {"name": entry.text("client") or "unknown"}
    if kind in _OF_A_USER:
        made["user"] = _user(who)
    else:
        unmapped.append("account")
    if kind in _IN_A_SESSION and session is not None:
        made["session"] = {"uid": session}
    if kind == _AUTHENTICATION:
        made["service"] = {"name": entry.text("client") or _PRODUCT}
    else:
        unmapped.append("client")
    if kind != _API and entry.text("device") is not None:  # the profile "host" has a device
        made["device"] = {"uid": entry.text("device"), "type_id": 0}
    else:
        unmapped.append("device")
    if kind in (_ACCESS, _AUTHORIZE):
        made["privileges"] = [entry.text("entitlement") or entry.event]
    if kind == _ENTITY:
        made["entity"] = {"uid": entry.text("provider") or entry.event, "type": entry.event.partition(".")[0]}
    if kind == _API:
        made["api"] = {"operation": entry.event}
    if made["metadata"]["correlation_uid"] is None:
        del made["metadata"]["correlation_uid"]
    made["unmapped"] = {name: entry.said[name] for name in unmapped if name in entry.said}
    return json_line(made)


def _address(entry: Entry) -> str | None:
    try:
        return str(ip_address(entry.text("address") or ""))
    except ValueError:
        return None


def _kind(event: str) -> tuple[int, int]:
    for beginning, kind, activity in _KINDS:
        if event.startswith(beginning):
            return kind, activity
    return (_ENTITY if event.startswith(_MANAGED) else _API), _OTHER


def _user(who: str | None) -> dict[str, Any]:
    if who is None:
        return {"uid": "unknown", "type_id": 0}
    return {"uid": who, "type_id": 1 if who.startswith("acc_") else 3 if who in ("system", "operator") else 99}
