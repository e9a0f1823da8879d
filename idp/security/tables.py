"""Reports of suspected misuse, for security staff to take up."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from idp.database.types import Row, id_column, moment, secret_column


class SecurityReport(Row, table=True):
    """Somebody's word that an account is misused; one form and one mail lead to one report each."""

    __table_args__ = (
        CheckConstraint("status IN ('open','closed')", name="status"),
        Index("ix_security_report_status", "status", "created_at"),
    )
    __tablename__ = "security_report"
    id: str = id_column("rpt")
    receipt: str = Field(unique=True)
    """What the reporter is told and may quote on the phone."""
    form_id: str = Field(unique=True)
    """Of the form or the mail it came by, so that a second click finds the first report."""
    kind: str = "misuse"
    status: str = "open"
    reporter_id: str | None = None
    """Who was signed in; None where nobody was."""
    about_id: str | None = Field(default=None, index=True)
    """The account it is about, where what was typed names one. Never shown to the reporter."""
    about: bytes | None = secret_column(nullable=True, default=None)
    words: bytes = secret_column()
    """What the reporter typed; sealed, like `about`."""
    case_id: str | None = Field(default=None, index=True)
    """The case it opened or was added to."""
    locked_at: datetime | None = moment(nullable=True)
    unlocked_at: datetime | None = moment(nullable=True)
    closed_at: datetime | None = moment(nullable=True)
    closed_by: str | None = None
    outcome: str | None = None
