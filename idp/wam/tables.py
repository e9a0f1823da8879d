"""Tables of the access manager's work."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from idp.database.types import Row, id_column, json_column, moment


class Receipt(Row, table=True):
    """What one sent form did, written with it: the proof page, and the reason a double click does nothing."""

    __table_args__ = (
        CheckConstraint("kind IN ('change','removal','invitation')", name="kind"),
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
