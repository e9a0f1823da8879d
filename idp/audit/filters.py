"""What to look for in the log, and the conditions that say so to the database (SE-1)."""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from sqlalchemy import ColumnElement, not_, or_
from sqlmodel import col

from idp import clock
from idp.audit import windows
from idp.audit.tables import AuditRecord
from idp.audit.windows import Way
from idp.envelope import KeyRing
from idp.errors import Invalid

_ANOTHER = f"{windows.BESIDE} another"
DESK = "security."
"""How the names of events begin that tell what the security desk found out: never shown to whom they are about."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What to look for; every one that is set must match. Times: from the first, before the second."""

    person: str | None = None
    """Account id, as the one who acted or the one it was about."""
    provider: str | None = None
    event: str | None = None
    """A name of the vocabulary, or the beginning of names, such as `wam.`."""
    outcome: str | None = None
    reason: str | None = None
    entitlement: str | None = None
    client: str | None = None
    session: str | None = None
    device: str | None = None
    address: str | None = None
    """Keyed hash of a network address, 32 hexadecimal digits: `hashed` makes it of what somebody typed."""
    decision: str | None = None
    request: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    reader: frozenset[str] = frozenset()
    """Accounts of who reads: what the security desk recorded about them is not for them. Never typed, never shown."""

    def given(self) -> dict[str, str]:
        """Return the filters that are set, as text; what records and addresses carry."""
        return {
            name: clock.iso(value) if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
            if value is not None and name in NAMES
        }

    def conditions(self) -> list[ColumnElement[bool]]:
        """Return the conditions on audit_record."""
        named = self.named(stored)
        return [condition for conditions in (*named.values(), self.times()) for condition in conditions]

    def named(self, column: Callable[[str], Any]) -> dict[str, list[ColumnElement[bool]]]:
        """Return the conditions of each filter that is set, but for the times, on the columns that `column` gives."""
        found: dict[str, list[ColumnElement[bool]]] = {
            name: [column(kept) == getattr(self, name)]
            for name, kept in _EXACT.items()
            if getattr(self, name) is not None
        }
        if self.address is not None:
            found["address"] = [column("address_hash") == bytes.fromhex(self.address)]
        if self.person is not None:
            found["person"] = [or_(column("account_id") == self.person, column("actor_id") == self.person)]
        if self.event is not None:
            event = column("event")
            if self.event.endswith("."):  # "wam." to "wam/": a range an index serves
                found["event"] = [event >= self.event, event < self.event[:-1] + "/"]
            else:
                found["event"] = [event == self.event]
        return found

    def times(self) -> list[ColumnElement[bool]]:
        """Return the conditions that hold beside any filter: the time, and who reads."""
        at = col(AuditRecord.at)
        found: list[ColumnElement[bool]] = [] if self.since is None else [at >= self.since]
        if self.until is not None:
            found.append(at < self.until)
        if self.reader:
            event, about = col(AuditRecord.event), col(AuditRecord.account_id)
            of_the_desk = (event >= DESK) & (event < DESK[:-1] + "/")
            found.append(or_(about.is_(None), about.not_in(self.reader), not_(of_the_desk)))
        return found

    def ways(self) -> list[Way]:
        """Return conditions that an index serves each, whose results together are the answer: a person is two."""
        if self.person is None:
            return [self.named]
        return [self._about, self._by]

    def _about(self, column: Callable[[str], Any]) -> dict[str, list[ColumnElement[bool]]]:
        return {**self.named(column), "person": [column("account_id") == self.person]}

    def _by(self, column: Callable[[str], Any]) -> dict[str, list[ColumnElement[bool]]]:
        """Whom it was about is another: a record is found one way only."""
        about = column("account_id")
        another = or_(about.is_(None), about != self.person)
        return {**self.named(column), "person": [column("actor_id") == self.person], _ANOTHER: [another]}

    def served(self) -> list[list[ColumnElement[bool]]]:
        """Return the conditions of each way on audit_record, with the times."""
        found = [{**way(stored), _ANOTHER: []} for way in self.ways()]  # records found both ways are put together
        return [[one for some in (*way.values(), self.times()) for one in some] for way in found]


def stored(name: str) -> Any:
    """Return a column of the log."""
    return col(getattr(AuditRecord, name))


_EXACT = {
    "provider": "provider_id",
    "outcome": "outcome",
    "reason": "reason",
    "entitlement": "entitlement",
    "client": "client_id",
    "session": "session_id",
    "device": "device_id",
    "decision": "decision_id",
    "request": "request_id",
}
NAMES = tuple(field.name for field in fields(Filters) if field.name != "reader")


def read(given: dict[str, str], *, reader: frozenset[str] = frozenset()) -> Filters:
    """Make filters of text fields, for a reader; raise Invalid naming those that can't be understood."""
    problems: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, typed in given.items():
        value = typed.strip()
        if not value:
            continue
        if name not in NAMES:
            problems[name] = "There is no such filter."
        elif len(value) > 200 or not value.isprintable():
            problems[name] = "Enter at most 200 readable characters."
        elif name in ("since", "until"):
            try:
                moment = datetime.fromisoformat(value)
                moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
                values[name] = moment
            except (ValueError, OverflowError):
                problems[name] = "Enter a date and time such as 2026-11-21T09:00Z."
            if (
                name in values and not 1970 <= values[name].year <= 9000
            ):  # at the calendar's ends there is no hour before
                problems[name] = "Enter a date between 1970 and 9000."
        elif name == "address":
            if re.fullmatch("[0-9a-f]{32}", value):
                values[name] = value
            else:
                problems[name] = "Enter a network address such as 203.0.113.9."
        else:
            values[name] = value
    if problems:
        raise Invalid(fields=problems)
    return Filters(**values, reader=reader)


def hashed(ring: KeyRing, typed: str) -> str | None:
    """Return what `address` takes for a network address that somebody typed; None for what is no address."""
    try:
        found = ip_address(typed)
    except ValueError:
        return None
    return ring.keyed_hash("subjects", str(found))[:16].hex()
