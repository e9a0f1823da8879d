"""Tables of the access manager's work."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from idp.database.types import Row, id_column, json_column, moment, secret_column


class Receipt(Row, table=True):
    """What one sent form did, written with it: the proof page, and the reason a double click does nothing."""

    __table_args__ = (
        CheckConstraint(
            "kind IN ('change','removal','invitation','delegation','delegation_end','appointment','review','joined')",
            name="kind",
        ),
        Index("uq_receipt_form", "made_by", "form_id", unique=True),
    )
    id: str = id_column("rct")
    kind: str
    provider_id: str = Field(index=True)
    account_id: str | None = Field(default=None, index=True)
    made_by: str
    form_id: str
    """Random, made when the form was shown; the same form sent again finds this row."""
    reason: str = ""
    facts: dict[str, Any] = json_column()
    """What was done, in keys, ids, counts and times; never names."""
    at: datetime = moment(default_now=True)
    promise: dict[str, Any] | None = json_column(nullable=True)
    """The log's signed promise of what this recorded (idp/audit/promises.py), as it is downloaded."""


_UNDER_WAY = text("status IN ('open','missed')")


class Review(Row, table=True):
    """One look of a practice's managers at who has what in a line, from its opening to the signature (W-7)."""

    __table_args__ = (
        CheckConstraint("kind IN ('regular','succession')", name="kind"),
        CheckConstraint("status IN ('open','missed','signed','ended')", name="status"),
        Index(
            "uq_review_under_way",
            "provider_id",
            "line",
            "kind",
            unique=True,
            sqlite_where=_UNDER_WAY,
            postgresql_where=_UNDER_WAY,
        ),
        Index("ix_review_due", "due_at", sqlite_where=_UNDER_WAY, postgresql_where=_UNDER_WAY),
    )
    id: str = id_column("rvw")
    provider_id: str = Field(foreign_key="provider.id", index=True)
    line: str
    kind: str = "regular"
    """`regular` by the calendar; `succession` after a manager left: what they gave is looked at, nothing is paused."""
    opened_by: str = "system"
    due_at: datetime = moment()
    status: str = "open"
    reminded: int = 0
    """How many of the notices before the due date have been sent."""
    signed_by: str | None = None
    signed_at: datetime | None = moment(nullable=True)
    report: dict[str, Any] | None = json_column(nullable=True, default=None)
    """What was decided about whom: ids, functions, times; never names. Written once, with the signature or the end."""


ANSWERS = ("keep", "change", "remove")


class ReviewItem(Row, table=True):
    """One person of a review and the answer given about them."""

    __tablename__ = "review_item"
    __table_args__ = (CheckConstraint("answer IN ('keep','change','remove')", name="answer"),)
    review_id: str = Field(primary_key=True, foreign_key="review.id")
    account_id: str = Field(primary_key=True, index=True)
    answer: str | None = None
    answered_by: str | None = None
    answered_at: datetime | None = moment(nullable=True)
    paused: bool = False
    """Unanswered on the due date, so their access was paused."""


class ReviewCalendar(Row, table=True):
    """When to look next whether a practice's line is due for review."""

    __tablename__ = "review_calendar"
    provider_id: str = Field(primary_key=True, foreign_key="provider.id")
    line: str = Field(primary_key=True)
    next_at: datetime = moment(index=True)


_ASKED = text("status = 'submitted'")


class AccessRequest(Row, table=True):
    """A person asks the access managers of a practice for a function (T-18)."""

    __tablename__ = "access_request"
    __table_args__ = (
        CheckConstraint("status IN ('submitted','approved','denied','withdrawn','expired')", name="status"),
        Index(
            "uq_access_request_waiting",
            "account_id",
            "provider_id",
            "line",
            "entitlement",
            unique=True,
            sqlite_where=_ASKED,
            postgresql_where=_ASKED,
        ),
        Index("ix_access_request_inbox", "provider_id", "status"),
        Index("ix_access_request_due", "expires_at", sqlite_where=_ASKED, postgresql_where=_ASKED),
    )
    id: str = id_column("arq")
    account_id: str = Field(foreign_key="account.id")
    provider_id: str = Field(foreign_key="provider.id")
    line: str
    entitlement: str
    note: str
    """What the person says they need it for."""
    status: str = "submitted"
    decided_by: str | None = None
    decided_at: datetime | None = moment(nullable=True)
    reason: str = ""
    reminded: int = 0
    expires_at: datetime = moment()


class Inactivity(Row, table=True):
    """How far a person's silence at a practice has gone: warned, then paused; gone when they were seen again."""

    __table_args__ = (CheckConstraint("stage IN ('warned','paused')", name="stage"),)
    account_id: str = Field(primary_key=True, foreign_key="account.id")
    provider_id: str = Field(primary_key=True, foreign_key="provider.id")
    stage: str
    since: datetime = moment(index=True)


class EmergencyUse(Row, table=True):
    """Somebody took functions for an emergency: why, until when, and what the review said (break glass)."""

    __tablename__ = "emergency_use"
    __table_args__ = (
        CheckConstraint("verdict IN ('justified','not_justified')", name="verdict"),
        Index(
            "uq_emergency_use_live",
            "account_id",
            "provider_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_emergency_use_provider", "provider_id", "starts_at"),
        Index(
            "ix_emergency_use_review",
            "due_at",
            sqlite_where=text("reviewed_at IS NULL"),
            postgresql_where=text("reviewed_at IS NULL"),
        ),
    )
    id: str = id_column("emu")
    account_id: str = Field(foreign_key="account.id")
    provider_id: str = Field(foreign_key="provider.id")
    line: str
    functions: list[Any] = json_column()
    grants: list[Any] = json_column()
    """Ids of the grants it made; they begin with `emg_`, so that every decision by them shows it."""
    reason: str
    starts_at: datetime = moment()
    ends_at: datetime = moment()
    ended_at: datetime | None = moment(nullable=True)
    ended_by: str | None = None
    due_at: datetime = moment()
    """The end of the next business day: until then somebody has looked at it."""
    reminded: bool = False
    reviewed_by: str | None = None
    reviewed_at: datetime | None = moment(nullable=True)
    verdict: str | None = None
    note: str = ""
    by_desk: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    """The insurer's security desk reviewed it: what it found not justified, it alone lifts."""
    lifted_at: datetime | None = moment(nullable=True)
    """When emergency access was opened again to who used it without need; until then it is closed to them."""
    lifted_by: str | None = None
    lifted_because: str = Field(default="", sa_column_kwargs={"server_default": ""})


class HeldChange(Row, table=True):
    """What one access manager wants to give and a second one has to confirm (domain.md 6)."""

    __tablename__ = "held_change"
    __table_args__ = (
        CheckConstraint("status IN ('waiting','confirmed','refused')", name="status"),
        Index("ix_held_change_inbox", "provider_id", "status"),
    )
    id: str = id_column("hld")
    provider_id: str = Field(foreign_key="provider.id")
    account_id: str = Field(foreign_key="account.id")
    line: str
    entitlement: str
    starts_at: datetime | None = moment(nullable=True)
    ends_at: datetime | None = moment(nullable=True)
    asked_by: str
    reason: str
    status: str = "waiting"
    decided_by: str | None = None
    decided_at: datetime | None = moment(nullable=True)
    expires_at: datetime = moment()


class ApiAnswer(Row, table=True):
    """What one change over the JSON API was answered, so that the same key sent again gets the same answer."""

    __tablename__ = "api_answer"
    made_by: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    """The Idempotency-Key the caller chose."""
    digest: str
    """SHA-256 of method, path, query and body: the same key with something else is refused."""
    status: int
    body: str
    """Sealed (envelope.py) and in base64: an answer may hold a link that opens something."""
    expires_at: datetime = moment(index=True)


_WANTED = text("status = 'requested'")


class DelegationRequest(Row, table=True):
    """An outside company asks a practice, named by its TIN, to let it work for it (W-6)."""

    __tablename__ = "delegation_request"
    __table_args__ = (
        CheckConstraint("status IN ('requested','approved','denied','withdrawn','expired')", name="status"),
        Index(
            "uq_delegation_request_waiting",
            "tin_hash",
            "partner_id",
            unique=True,
            sqlite_where=_WANTED,
            postgresql_where=_WANTED,
        ),
        Index("ix_delegation_request_partner", "partner_id", "created_at"),
        Index("ix_delegation_request_due", "expires_at", sqlite_where=_WANTED, postgresql_where=_WANTED),
    )
    id: str = id_column("drq")
    partner_id: str = Field(foreign_key="partner.id")
    tin_hash: bytes = secret_column()
    """By which the practice is found; whether there is one, the company is not told."""
    tin_last4: str
    entitlements: list[Any] = json_column()
    lines: list[Any] = json_column()
    ends_at: datetime = moment()
    note: str
    asked_by: str
    status: str = "requested"
    decided_by: str | None = None
    decided_at: datetime | None = moment(nullable=True)
    reason: str = ""
    delegation_id: str | None = None
    reminded: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """How many steps of waiting were taken: reminders to the practice, then the insurer."""
    expires_at: datetime = moment()
