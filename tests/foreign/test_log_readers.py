"""The log's lines for other programs, read by parsers whose makers never saw this service: CEF and RFC 5424."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pycef

from idp.audit.forms import FORMS, Entry
from scripts import node_packages
from tests.audit.hostile import HOSTILE

MEMBERS = ("outcome", "reason", "actor", "account", "provider", "entitlement", "client", "session", "device")


def _entries() -> Iterator[tuple[str, Entry]]:
    for number, value in enumerate((*HOSTILE, "plain"), start=1):
        said = {"v": 1, "at": "2026-11-22T06:00:00.123456Z", "event": "entitlements.grant.added"}
        yield value, Entry(number, said | dict.fromkeys(MEMBERS, value), "login.example.org/log")


def test_security_77_a_foreign_reader_of_rfc_5424_finds_every_hostile_value_in_its_field() -> None:
    entries = list(_entries())
    lines = [FORMS["syslog"].line(entry).decode().rstrip("\n") for _, entry in entries]
    node = shutil.which("node") or str(node_packages.find_node())
    done = subprocess.run(
        [node, str(Path(__file__).parent / "read_syslog.mjs")],
        input="\n".join(map(json.dumps, lines)),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    read = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(read) == len(entries)
    for (value, entry), said in zip(entries, read, strict=True):
        assert (said["type"], said["facility"], said["severity"]) == ("RFC5424", "audit", "notice")
        assert (said["host"], said["appName"], said["msgID"]) == ("login.example.org", "idp", entry.event)
        assert said["time"] == "2026-11-22T06:00:00.123Z"
        [(name, found)] = said["structuredData"].items()
        assert (name, found["number"], found["event"]) == ("idp@32473", str(entry.number), entry.event)
        if value.isprintable():
            assert {member: found[member] for member in MEMBERS} == dict.fromkeys(MEMBERS, value)
        assert said["message"].lstrip("\ufeff") == entry.words


def test_security_77_a_foreign_reader_of_cef_finds_every_hostile_value_in_its_field() -> None:
    keys = ("outcome", "reason", "suid", "duid", "sproc", "deviceExternalId", "provider", "entitlement", "session")
    for value, entry in _entries():
        said = pycef.parse(FORMS["cef"].line(entry).decode().rstrip("\n"))
        assert (said["CEFVersion"], said["DeviceEventClassID"], said["Severity"]) == ("0", entry.event, "2")
        assert (said["Name"], said["externalId"], said["act"]) == (entry.words, str(entry.number), entry.event)
        if value.isprintable():  # it leaves the escapes in a value to its caller
            assert {re.sub(r"\\([\\=])", r"\1", said[key]) for key in keys} == {value}
