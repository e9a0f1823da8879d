"""Tables of versions, epochs and revocations (decisions.md 3)."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from idp.database.types import Row, json_column, moment


class AccountVersion(Row, table=True):
    """Rises with any change a decision reads about the account; authz_epoch only when something is taken away."""

    __tablename__ = "account_version"
    account_id: str = Field(primary_key=True)
    version: int = Field(default=1, sa_type=BigInteger)
    authz_epoch: int = Field(default=1, sa_type=BigInteger)


class PolicyEpoch(Row, table=True):
    """Single row; rises with any change that is not one account's."""

    __tablename__ = "policy_epoch"
    id: int = Field(default=1, primary_key=True)
    epoch: int = Field(default=1, sa_type=BigInteger)


class PolicyVersion(Row, table=True):
    """Since when each policy version held, written with the change: what a past day's answer names."""

    __table_args__ = (Index("ix_policy_version_since", "since", "epoch"),)
    __tablename__ = "policy_version"
    epoch: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    since: datetime = moment()


class RevocationCounter(Row, table=True):
    """Single row, updated last in a transaction, so number order is commit order."""

    __tablename__ = "revocation_counter"
    id: int = Field(default=1, primary_key=True)
    seq: int = Field(default=0, sa_type=BigInteger)


class Revocation(Row, table=True):
    """One thing taken away, numbered; what apps hear of."""

    seq: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    kind: str
    """`grant_ended`, `affiliation_ended`, `session_ended`, `family_ended`, `account_ended`, `partner_suspended`, ..."""
    account_id: str | None = Field(default=None, index=True)
    session_id: str | None = None
    family_id: str | None = None
    """The family that ended; the `jti` of its access tokens begins with it."""
    token_id: str | None = None
    """The `jti` of one access token that an app gave back (RFC 7009)."""
    provider_id: str | None = None
    client_id: str | None = None
    """The app that may no longer be used."""
    facts: dict[str, Any] | None = json_column(nullable=True, default=None)
    """What a signal says beyond the rest, such as which credential changed; ids and codes only."""
    authz_epoch: int | None = Field(default=None, sa_type=BigInteger)
    reason: str = ""
    at: datetime = moment(default_now=True)


class JobLease(Row, table=True):
    """Which worker runs a background job, until when."""

    __tablename__ = "job_lease"
    name: str = Field(primary_key=True)
    holder: str
    expires_at: datetime = moment()


class DateTold(Row, table=True):
    """Single row: until which moment what ended by its date was told to the apps."""

    __tablename__ = "date_told"
    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = moment()
