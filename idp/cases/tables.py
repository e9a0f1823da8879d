"""Cases of suspected misuse: the case, its insert-only file, questions, actions, the appeal and the label."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from idp.database.types import Row, id_column, json_column, moment, secret_column

OPEN = ("question", "new", "investigating", "waiting")
"""Statuses of a case that is not decided; `question` is a private question to the person and nothing else."""
_UNDER_WAY = text("status IN ('question','new','investigating','waiting')")
_UNANSWERED = text("answered_at IS NULL AND closed_at IS NULL")
_WAITING = text("status = 'waiting'")


class SecurityCase(Row, table=True):
    """One suspicion about one account, from its opening to its decision."""

    __tablename__ = "security_case"
    __table_args__ = (
        CheckConstraint("kind IN ('sharing','takeover','misuse')", name="kind"),
        CheckConstraint("status IN ('question','new','investigating','waiting','decided','closed')", name="status"),
        CheckConstraint("decision IN ('substantiated','compromised','innocent','inconclusive')", name="decision"),
        Index(
            "uq_security_case_under_way",
            "account_id",
            "kind",
            unique=True,
            sqlite_where=_UNDER_WAY,
            postgresql_where=_UNDER_WAY,
        ),
        Index("ix_security_case_queue", "status", "triage_due_at"),
        Index("ix_security_case_decided", "decided_at"),
    )
    id: str = id_column("cse")
    reference: str = Field(unique=True)
    """What people quote on the phone."""
    kind: str
    source: str
    """`finding`, `report`, `partner` or `desk`: what opened it."""
    account_id: str | None = Field(default=None, index=True)
    """Whom it is about; None while a report has named nobody we know."""
    status: str = "new"
    band: str = ""
    """Highest line the detector saw it cross: notice, case, containment."""
    score: int | None = None
    opened_by: str = "system"
    triage_due_at: datetime | None = moment(nullable=True)
    """None for a private question: nobody of the desk works on it."""
    triaged_at: datetime | None = moment(nullable=True)
    worked_by: str | None = None
    """Who of the desk took it."""
    escalated_at: datetime | None = moment(nullable=True)
    contained_at: datetime | None = moment(nullable=True)
    entries: int = 0
    head: str = ""
    """Digest of the newest entry of the file."""
    decision: str | None = None
    cause: str | None = None
    """Why it was innocent."""
    decided_at: datetime | None = moment(nullable=True)
    decided_by: str | None = None
    tell_due_at: datetime | None = moment(nullable=True)
    """When those concerned must have heard of a decision or an action, if nobody wrote down why it waits."""
    told_at: datetime | None = moment(nullable=True)
    closed_at: datetime | None = moment(nullable=True)


class CaseEntry(Row, table=True):
    """One leaf of a case's file: never changed, never removed; its digest covers the one before."""

    __tablename__ = "case_entry"
    case_id: str = Field(primary_key=True, foreign_key="security_case.id")
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    kind: str
    at: datetime = moment()
    by: str
    owner: str
    """Whose key seals the body: with it destroyed the body is unreadable, and the digests still hold."""
    body: bytes | None = secret_column(nullable=True, default=None)
    """Canonical JSON, sealed; None where the owner's key had been destroyed before."""
    digest: str
    """SHA-256 over the entry in the clear and the digest before it; the log says the same."""


class CaseQuestion(Row, table=True):
    """Something asked of the person or of a practice's access managers, answered once, in time."""

    __tablename__ = "case_question"
    __table_args__ = (
        CheckConstraint("audience IN ('person','practice')", name="audience"),
        Index(
            "uq_case_question_live",
            "case_id",
            "whom",
            unique=True,
            sqlite_where=_UNANSWERED,
            postgresql_where=_UNANSWERED,
        ),
        Index("ix_case_question_whom", "whom", "created_at"),
        Index("ix_case_question_due", "due_at", sqlite_where=_UNANSWERED, postgresql_where=_UNANSWERED),
    )
    id: str = id_column("csq")
    case_id: str = Field(foreign_key="security_case.id", index=True)
    audience: str
    whom: str
    """The account, or the practice whose access managers are asked."""
    owner: str
    shown: bytes | None = secret_column(nullable=True, default=None)
    """What the reader is told, and nothing beyond it: canonical JSON, sealed under the owner's key."""
    due_at: datetime = moment()
    answered_at: datetime | None = moment(nullable=True)
    answered_by: str | None = None
    answer: str | None = None
    closed_at: datetime | None = moment(nullable=True)
    """Over without an answer: too late, or the case was decided."""


class CaseAction(Row, table=True):
    """Something done about the person of a case, or waiting for a second person."""

    __tablename__ = "case_action"
    __table_args__ = (
        CheckConstraint("status IN ('waiting','done','refused','lapsed')", name="status"),
        Index(
            "uq_case_action_waiting",
            "case_id",
            "kind",
            "target",
            unique=True,
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
    )
    id: str = id_column("csa")
    case_id: str = Field(foreign_key="security_case.id", index=True)
    kind: str
    target: str = ""
    """The practice, login or appointment it is about, where it is not the whole account."""
    status: str = "waiting"
    asked_by: str
    reason: str
    interim_id: str | None = None
    """Who manages access meanwhile where a practice would be left without."""
    lapses_at: datetime | None = moment(nullable=True)
    answered_by: str | None = None
    done_at: datetime | None = moment(nullable=True)
    promise: dict[str, Any] | None = json_column(nullable=True, default=None)
    """The log's signed promise of what this recorded of the person (idp/audit/promises.py), as it is downloaded."""


class CaseAppeal(Row, table=True):
    """The person's word against a decision; another member of staff than the decider answers it."""

    __tablename__ = "case_appeal"
    __table_args__ = (
        CheckConstraint("outcome IN ('upheld','overturned')", name="outcome"),
        Index(
            "ix_case_appeal_due",
            "due_at",
            sqlite_where=text("decided_at IS NULL"),
            postgresql_where=text("decided_at IS NULL"),
        ),
    )
    id: str = id_column("csp")
    case_id: str = Field(foreign_key="security_case.id", unique=True)
    account_id: str = Field(index=True)
    due_at: datetime = moment()
    escalated_at: datetime | None = moment(nullable=True)
    """When the desk heard that its answer is late."""
    decided_at: datetime | None = moment(nullable=True)
    decided_by: str | None = None
    outcome: str | None = None


class CaseLabel(Row, table=True):
    """What a decided case says was true, in the form the detector is judged by."""

    __tablename__ = "case_label"
    __table_args__ = (CheckConstraint("label IN ('sharing','takeover','none')", name="label"),)
    case_id: str = Field(primary_key=True, foreign_key="security_case.id")
    account_id: str = Field(index=True)
    label: str
    pattern: str
    begins: datetime = moment()
    ends: datetime = moment()
    lasting: bool = True
    labelled_by: str
