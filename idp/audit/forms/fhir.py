"""FHIR R4 AuditEvent after IHE Basic Audit Log Patterns (BALP), one resource a line.

Who: the account under the issuer's system; the client; the practice acted for as the agent's location is not
known to us, so it stands as an entity. Purpose of use and the token's session come along. There is no patient
in this log: claims and members are the apps' own.
"""

from typing import Any

from idp.audit.forms.entry import Entry, json_line

_DICOM = "http://dicom.nema.org/resources/ontology/DCM"
_USER = "https://profiles.ihe.net/ITI/BALP/CodeSystem/UserAgentTypes"
_PURPOSES = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
_OBJECT = {"system": "http://terminology.hl7.org/CodeSystem/audit-entity-type", "code": "4", "display": "Other"}
_PURPOSE = {"payment": "HPAYMT", "treatment": "TREAT", "operations": "HOPERAT"}
_ACTIONS = (
    (("added", "created", "made", "issued", "registered", "linked", "opened", "begun", "started"), "C"),
    (("ended", "removed", "closed", "unlinked", "revoked"), "D"),
    (("viewed", "searched", "exported", "read", "introspected", "verified"), "R"),
    (("changed", "replaced", "suspended", "reinstated", "approved", "denied", "refreshed"), "U"),
)


def line(entry: Entry) -> bytes:
    """Return the record as one line."""
    issuer = f"https://{entry.log.partition('/')[0]}"
    made: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "type": _type(entry.event),
        "subtype": [{"system": f"{issuer}/audit-events", "code": entry.event, "display": _words(entry.words)}],
        "action": _action(entry.event),
        "recorded": entry.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "outcome": "8" if entry.grave and entry.refused else "4" if entry.refused else "0",
        "agent": _agents(entry, issuer),
        "source": {
            "site": entry.host,
            "observer": {"display": entry.log},
            "type": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/security-source-type",
                    "code": "6",
                    "display": "Security Server",
                }
            ],
        },
        "entity": _entities(entry, issuer),
    }
    if entry.text("reason") is not None:
        made["outcomeDesc"] = _words(str(entry.text("reason")))
    purpose = entry.text("purpose")
    if purpose is not None:
        coded = _PURPOSE.get(purpose)
        made["purposeOfEvent"] = [
            {"coding": [{"system": _PURPOSES, "code": coded}]} if coded else {"text": _words(purpose)}
        ]
    return json_line(made, ordered=False)


def _type(event: str) -> dict[str, str]:
    if event.startswith(("accounts.login.", "accounts.session.", "accounts.factor.")):
        return {"system": _DICOM, "code": "110114", "display": "User Authentication"}
    if event.startswith("audit."):
        return {"system": _DICOM, "code": "110101", "display": "Audit Log Used"}
    if event.startswith(("entitlements.grant.", "entitlements.bundle.", "wam.appointment.", "accounts.account.")):
        return {"system": _DICOM, "code": "110113", "display": "Security Alert"}
    return {"system": _DICOM, "code": "110100", "display": "Application Activity"}


def _action(event: str) -> str:
    last = event.rpartition(".")[2]
    return next((action for endings, action in _ACTIONS if last in endings), "E")


def _agents(entry: Entry, issuer: str) -> list[dict[str, Any]]:
    actor = entry.text("actor") or "unknown"
    person: dict[str, Any] = {
        "type": {"coding": [{"system": _USER, "code": "UserOauthAgent"}]},
        "who": {"identifier": {"system": issuer, "value": _words(actor)}},
        "requestor": True,
    }
    session, address = entry.text("session"), entry.text("address")
    if session is not None:
        person["policy"] = [f"{issuer}/sessions/{_path(session)}"]
    if address is not None:
        person["network"] = {"address": _words(address), "type": "2"}
    agents = [person]
    client = entry.text("client")
    if client is not None:
        agents.append(
            {
                "type": {"coding": [{"system": _DICOM, "code": "110150", "display": "Application"}]},
                "who": {"identifier": {"system": f"{issuer}/clients", "value": _words(client)}},
                "requestor": False,
            }
        )
    return agents


def _entities(entry: Entry, issuer: str) -> list[dict[str, Any]]:
    wanted = ("account", "provider", "entitlement", "decision", "request", "device")
    found = [
        {"what": {"identifier": {"system": f"{issuer}/{name}", "value": _words(value)}}, "type": _OBJECT}
        for name, value in entry.fields(*wanted)
    ]
    number: dict[str, Any] = {
        "what": {"identifier": {"system": f"https://{entry.log}", "value": str(entry.number)}},
        "type": _OBJECT,
    }
    details = entry.text("details")
    if details is not None:
        number["detail"] = [{"type": "details", "valueString": _words(details)}]
    return [number, *found]


def _words(value: str) -> str:
    """Return a string as FHIR takes it: no control characters but tab and line ends, never empty."""
    kept = "".join(c if c >= " " or c in "\t\r\n" else "\ufffd" for c in value)
    return kept if kept.strip() else "-"


def _path(value: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in value)
