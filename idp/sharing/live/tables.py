"""Tables of the running detector: how far it has read, what it remembers, and the scores with their reasons."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from idp.database.types import Row, json_column, moment, secret_column


class SharingPlace(Row, table=True):
    """Single row: how many sealed records the detector has looked at, in the order of the log's tree."""

    __tablename__ = "sharing_place"
    id: int = Field(default=1, primary_key=True)
    leaf: int = Field(sa_type=BigInteger)
    generation: int = 0
    """Rises when somebody else changes what is remembered: a round that read before then is not saved."""
    at: datetime | None = moment(nullable=True)
    """When the newest record looked at was made."""


class SharingMemory(Row, table=True):
    """What is remembered of one account, device, network or practice; compressed JSON, bounded in size."""

    __tablename__ = "sharing_memory"
    __table_args__ = (Index("ix_sharing_memory_touched", "touched_at"),)
    kind: str = Field(primary_key=True)
    """`account`, `device`, `network` or `provider`."""
    name: str = Field(primary_key=True)
    body: bytes = secret_column()
    touched_at: datetime = moment()


class SharingScore(Row, table=True):
    """An account's score when evidence was last added, of sharing or of takeover, with its reasons."""

    __tablename__ = "sharing_score"
    __table_args__ = (Index("ix_sharing_score_highest", "what", "log_odds"),)
    account_id: str = Field(primary_key=True)
    what: str = Field(primary_key=True)
    log_odds: float
    band: str
    """The line it was at or above: "" below all of them."""
    at: datetime = moment()
    version: str
    """Of the weights."""
    evidence: dict[str, Any] = json_column()
    """By kind: amount and when, on how many days, what was seen, and the newest records it rests on."""


class SharingDay(Row, table=True):
    """An account's highest score of a day on which evidence was added."""

    __tablename__ = "sharing_day"
    account_id: str = Field(primary_key=True)
    what: str = Field(primary_key=True)
    day: str = Field(primary_key=True)
    log_odds: float
    parts: dict[str, Any] = json_column()
    """Log-odds by kind."""
    version: str = ""
