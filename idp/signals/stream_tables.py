"""Tables of the fan-out: who wants to be told what, what is on its way, and who heard when."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, text
from sqlmodel import Field

from idp.database.types import Row, id_column, json_column, moment, secret_column

_WAITING = text("delivered_at IS NULL AND failed_at IS NULL")


class SignalStream(Row, table=True):
    """One app's stream of security events (OpenID Shared Signals Framework 1.0)."""

    __tablename__ = "signal_stream"
    __table_args__ = (
        CheckConstraint("method IN ('push','poll')", name="method"),
        CheckConstraint("status IN ('enabled','paused','disabled')", name="status"),
    )
    id: str = id_column("str")
    client_id: str = Field(index=True)
    method: str
    endpoint_url: str | None = None
    """Where events are pushed to; None for a stream that is polled."""
    authorization: bytes | None = secret_column(nullable=True, default=None)
    """What we send as Authorization when we push, sealed."""
    events_requested: list[Any] = json_column()
    description: str = ""
    status: str = "enabled"
    status_reason: str | None = None
    verified_at: datetime | None = moment(nullable=True)
    """When a verification event was last asked for."""
    ended_at: datetime | None = moment(nullable=True)


class SignalSubject(Row, table=True):
    """A person an app does not want to hear about on a stream; all others of its people it does."""

    __tablename__ = "signal_subject"
    stream_id: str = Field(primary_key=True)
    account_id: str = Field(primary_key=True)


class SignalDelivery(Row, table=True):
    """One event for one receiver, with its tries and its end."""

    __tablename__ = "signal_delivery"
    __table_args__ = (
        CheckConstraint("method IN ('push','poll','logout')", name="method"),
        Index("ix_signal_delivery_waiting", "receiver", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
    )
    id: int | None = Field(default=None, primary_key=True)
    jti: str = Field(unique=True)
    method: str
    receiver: str
    """The stream's id, or the client's with `logout:` before it: what waits for one receiver keeps its order."""
    client_id: str
    seq: int | None = Field(default=None, sa_type=BigInteger, index=True)
    """The revocation it tells; None for what is about the stream itself."""
    event: str
    account_id: str | None = None
    claims: dict[str, Any] = json_column()
    """What is signed when it is sent; by then the key may be another."""
    tries: int = 0
    next_try_at: datetime = moment(default_now=True)
    delivered_at: datetime | None = moment(nullable=True)
    failed_at: datetime | None = moment(nullable=True)
    problem: str | None = None


class SignalCursor(Row, table=True):
    """Single row: up to which revocation the deliveries are written."""

    __tablename__ = "signal_cursor"
    id: int = Field(default=1, primary_key=True)
    seq: int = Field(default=0, sa_type=BigInteger)


class FeedReceipt(Row, table=True):
    """An app's copy of the feed had heard everything up to a number: it asked for what comes after."""

    __tablename__ = "feed_receipt"
    client_id: str = Field(primary_key=True)
    reader: str = Field(primary_key=True)
    """Which process of the app; it makes a name for itself at its start."""
    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    at: datetime = moment(index=True)
