"""Each form of an export, read by a parser that is not ours where there is one: one record in, one line out."""

import csv
import io
import json
import re
from collections.abc import Iterator
from itertools import product

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from idp import clock
from idp.audit import export, log, origin
from idp.audit.events import VOCABULARY, Event
from idp.audit.forms import FORMS, Entry
from idp.audit.search import Filters
from idp.database import Database, transaction
from tests.audit.hostile import HOSTILE, NOT_AS_IT_IS
from tests.audit.published_ocsf import faults

MEMBERS = (
    "outcome", "reason", "actor", "account", "provider", "entitlement", "client", "channel", "session", "device",
    "purpose", "decision", "request", "address",
)  # fmt: skip
LINES = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
SYSLOG = re.compile(
    r"<(?P<pri>\d{1,3})>1 (?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z) (?P<host>[!-~]{1,255}) idp - "
    r"(?P<id>[!-~]{1,32}) \[idp@32473(?P<data>(?: [!-<>-\[^-~]{1,32}=\"(?:[^\"\\\]]|\\[\"\\\]])*\")*)\] "
    "\ufeff(?P<words>.+)"
)
"""The grammar of RFC 5424 6, as far as this service uses it."""
PARAMETER = re.compile(r" ([^=]+)=\"((?:[^\"\\\]]|\\[\"\\\]])*)\"")


def _entries() -> Iterator[tuple[str, Entry]]:
    for number, value in enumerate((*HOSTILE, "plain"), start=1):
        said = {
            "v": 1, "at": "2026-11-22T06:00:00.123456Z", "event": "entitlements.grant.added",
            "details": {"value": value, value: [value]}, "auth": {"acr": value, "amr": [value]},
        }  # fmt: skip
        yield value, Entry(number, said | dict.fromkeys(MEMBERS, value), "login.example.org/log")


@pytest.mark.parametrize("kind", FORMS)
def test_security_77_hostile_values_in_every_field_are_one_line(kind: str) -> None:
    for value, entry in _entries():
        line = FORMS[kind].line(entry).decode()
        assert line.endswith("\n")
        assert not LINES.search(line.rstrip("\r\n")), (kind, value)


def test_security_77_what_is_no_record_of_ours_is_still_one_line() -> None:
    for form in FORMS.values():
        for said in ({"event": "unreadable"}, {"at": 7, "event": ["x"], "details": "text", "reason": {"a": "\n"}}):
            assert form.line(Entry(1, said, "login.example.org/log")).count(b"\n") == 1


def test_security_77_a_foreign_reader_takes_every_event_as_a_fhir_audit_event() -> None:
    for value, entry in _entries():
        line = FORMS["fhir"].line(entry)
        read = AuditEvent.model_validate_json(line)
        who = read.agent[0]
        assert (who.requestor, read.outcome, read.recorded.year) == (True, "0", 2026)
        if value.isprintable() and value.strip():
            assert who.who.identifier.value == value
            assert read.entity[1].what.identifier.value == value
    for name in VOCABULARY:
        entry = Entry(1, {"event": name, "at": clock.iso(clock.now()), "outcome": "refused"}, "login.example.org/log")
        read = AuditEvent.model_validate_json(FORMS["fhir"].line(entry))
        assert read.subtype[0].code == name
        assert read.outcome in ("4", "8")


def test_security_77_syslog_keeps_to_the_grammar_and_says_every_value() -> None:
    for value, entry in _entries():
        found = SYSLOG.fullmatch(FORMS["syslog"].line(entry).decode().rstrip("\n"))
        assert found is not None, value
        assert (found["host"], found["id"], int(found["pri"]) // 8) == ("login.example.org", entry.event[:32], 13)
        said = {name: re.sub(r"\\([\"\\\]])", r"\1", text) for name, text in PARAMETER.findall(found["data"])}
        assert set(MEMBERS) <= set(said)
        if value.isprintable():
            assert said["reason"] == value


def _cef(line: str) -> tuple[list[str], dict[str, str]]:
    """Read a line as the format's description says: unescaped pipes part the header, unescaped signs the pairs."""
    parts = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    marks = [(m.start(1), m.start(2)) for m in re.finditer(r"(?:^| )((?:[A-Za-z0-9_.]+))(?<!\\)(=)", parts[7])]
    pairs = {}
    for n, (start, sign) in enumerate(marks):
        end = marks[n + 1][0] - 1 if n + 1 < len(marks) else len(parts[7])
        pairs[parts[7][start:sign]] = re.sub(r"\\([\\=])", r"\1", parts[7][sign + 1 : end])
    return parts[:7], pairs


def test_security_77_cef_parts_at_its_own_signs_only() -> None:
    for value, entry in _entries():
        head, pairs = _cef(FORMS["cef"].line(entry).decode().rstrip("\n"))
        assert (head[0], head[4], head[6]) == ("CEF:0", "entitlements.grant.added", "2")
        assert pairs["act"] == "entitlements.grant.added"
        assert pairs["externalId"] == str(entry.number)
        if value.isprintable():
            assert pairs["reason"] == value
            assert pairs["outcome"] == value


FULL = dict.fromkeys(MEMBERS, "x") | {"address": "2001:db8::7", "outcome": "refused", "details": {"a": [1]}, "auth": {}}


def test_security_77_every_event_is_one_of_the_published_ocsf_schema() -> None:
    classes = set()
    for name, more in product(VOCABULARY, ({}, {"actor": "acc_1"}, FULL)):
        entry = Entry(3, {"event": name, "at": clock.iso(clock.now()), **more}, "login.example.org/log")
        said = json.loads(FORMS["ocsf"].line(entry))
        assert not (wrong := faults(said)), (name, wrong)
        assert ("activity_name" in said) is (said["activity_id"] == 99)
        assert said["metadata"]["event_code"] == name
        classes.add(said["class_uid"])
    assert classes == {3001, 3002, 3003, 3004, 3005, 6003}
    for value, entry in _entries():
        said = json.loads(FORMS["ocsf"].line(entry))
        assert not faults(said)
        assert said["unmapped"]["details"] == {"value": value, value: [value]}
    assert {"no_such is not an attribute of its class", "user is missing", "status_id may not be 7"} <= {
        *faults({**said, "no_such": 1, "status_id": 7}), *faults({n: v for n, v in said.items() if n != "user"})
    }  # fmt: skip


def test_security_77_an_export_in_every_form_has_each_record_once_and_nothing_personal(database: Database) -> None:
    with transaction(database) as session, origin.acting_as("acc_ana", address="203.0.113.9", user_agent="Secret/1"):
        for value in (*HOSTILE, *NOT_AS_IT_IS):
            event = Event(
                "wam.change.refused", outcome="refused", reason=value, account="acc_ana", personal={"name": "Ana Ruiz"}
            )
            log.record(session, event)
    for kind, form in FORMS.items():
        body = b"".join(export.lines(database, Filters(), form)).decode()
        rows = list(csv.reader(io.StringIO(body, newline=""))) if kind == "csv" else LINES.split(body)
        assert len(rows) == len(HOSTILE) + len(NOT_AS_IT_IS) + 1  # a head, or what follows the last line's end
        for personal in ("203.0.113.9", "Secret/1", "Ana Ruiz"):
            assert personal not in body, (kind, personal)
