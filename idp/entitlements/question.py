"""What is asked: may this person do this, for this provider, through this app, now?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

LINES = ("medical", "behavioural", "dental", "medicare_advantage")


@dataclass(frozen=True, slots=True)
class AskingApp:
    """The app that asks, as far as a decision needs it; filled at the edge from the client's record."""

    client_id: str
    channel: str = "site"
    lines: tuple[str, ...] = LINES
    default_line: str = "medical"
    entitlements: frozenset[str] | None = None
    """Catalogue keys it may ask about; None means all."""
    active: bool = True
    partner_id: str | None = None
    """The outside organisation it belongs to; asked for good standing at every use."""
    help_url: str | None = None
    name: str = ""


OURSELVES = AskingApp(client_id="idp", name="This service")
"""Our own pages ask the same way as any app."""


@dataclass(frozen=True, slots=True)
class Supposition:
    """One hypothetical change (supposing.py); which fields count depends on what is supposed."""

    kind: str
    """`end`, `set`, `grant`, `bundle` or `owner`."""
    id: str = ""
    """Of the row that ended or changed; the bundle's key; the shared account's number."""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Question:
    """One question; everything a caller may say, nothing it could make up about the person.

    Nobody changes it; it is not frozen because a frozen one takes five times as long to make, and each asker makes one.
    """

    account_id: str
    entitlement: str
    provider_id: str | None
    app: AskingApp
    line: str | None = None
    """Line of business; None takes the app's default."""
    sid: str | None = None
    """The person's session; their strength is read from it, never from the request."""
    channel: str | None = None
    """What the caller says its channel is; must be the app's own."""
    purpose: str | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    """Facts of the claim or service."""
    at: datetime | None = None
    """Replay for this moment; None is now."""
    subject_type: str = "account"
    resource_type: str = "provider"
    assume_authenticated: bool = False
    """Leave out the last gate; the answer is marked and nobody may act on it."""

    supposes: tuple["Supposition", ...] = ()
    """Hypothetical changes; the answer is marked and nobody may act on it."""

    def about(self, account_id: str, provider_id: str | None, entitlement: str) -> "Question":
        """Return the same question about another person, practice or function, faster than `dataclasses.replace`."""
        return Question(
            account_id,
            entitlement,
            provider_id,
            self.app,
            self.line,
            self.sid if account_id == self.account_id else None,
            self.channel,
            self.purpose,
            self.record,
            self.at,
            self.subject_type,
            self.resource_type,
            self.assume_authenticated,
            self.supposes,
        )

    @property
    def asked_line(self) -> str:
        """The line of business the question is about."""
        return self.line or self.app.default_line

    @property
    def simulated(self) -> bool:
        """Whether the answer is only for looking at."""
        return self.assume_authenticated or self.at is not None or bool(self.supposes)
