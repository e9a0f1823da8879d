"""One record as every form reads it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from idp.audit.events import VOCABULARY

REFUSED = frozenset(("deny", "refused", "failed"))
"""Outcomes in which what was asked did not happen."""
GRAVE = frozenset(
    ("audit.record.refused", "oauth.code.reused", "oauth.refresh.reused", "accounts.login.held", "security.report.made")
)
"""Events that somebody should look at today."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record's number, what it says, and of which log it is."""

    number: int
    said: dict[str, Any]
    log: str
    """Origin of the log, such as `login.example.org/log`."""

    @property
    def host(self) -> str:
        """Return the host that issued the record."""
        return self.log.partition("/")[0].partition(":")[0]

    @property
    def event(self) -> str:
        """Return the event's name."""
        return str(self.said.get("event", "unreadable"))

    @property
    def words(self) -> str:
        """Return what happened, in words."""
        return VOCABULARY.get(self.event, self.event)

    @property
    def outcome(self) -> str:
        """Return the outcome."""
        return str(self.said.get("outcome", "done"))

    @property
    def refused(self) -> bool:
        """Say whether what was asked did not happen."""
        return self.outcome in REFUSED

    @property
    def grave(self) -> bool:
        """Say whether somebody should look at it today."""
        return self.event in GRAVE

    @property
    def at(self) -> datetime:
        """Return the moment; 1970 where somebody made the record unreadable."""
        try:
            return datetime.fromisoformat(str(self.said.get("at"))).astimezone(UTC)
        except ValueError:
            return datetime.fromtimestamp(0, UTC)

    def text(self, name: str) -> str | None:
        """Return a member as text, None where there is none."""
        value = self.said.get(name)
        return None if value is None else value if isinstance(value, str) else dumped(value)

    def fields(self, *names: str) -> list[tuple[str, str]]:
        """Return the members of these names that are set."""
        return [(name, value) for name in names if (value := self.text(name)) is not None]


def dumped(value: Any) -> str:
    """Return a value as JSON on one line."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def visible(value: str) -> str:
    """Return text with everything that is no printable character written as an escape."""
    return value if value.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in value)


def _escape(c: str) -> str:
    return c.encode("unicode_escape").decode()


def json_line(value: Any, *, ordered: bool = True) -> bytes:
    """Return a value as JSON on one line, also for readers that break lines where Unicode does."""
    line = orjson.dumps(value, option=orjson.OPT_SORT_KEYS if ordered else 0)
    for mark, escape in _BREAKS:
        line = line.replace(mark, escape)
    return line + b"\n"


_BREAKS = tuple((mark.encode(), b"\\u%04x" % ord(mark)) for mark in "\x85\u2028\u2029")
