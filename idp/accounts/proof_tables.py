"""Tables of passkeys and of recovery. No `from __future__ import annotations` here."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger
from sqlmodel import Field

from idp.database.types import Row, id_column, json_column, moment, secret_column


class Passkey(Row, table=True):
    """The public half of a passkey or security key; its name and dates are those of its factor."""

    factor_id: str = Field(foreign_key="factor.id", primary_key=True)
    credential_hash: bytes = secret_column(unique=True)
    """SHA-256 of the credential id: one key opens at most one account."""
    credential_id: bytes = secret_column()
    public_key: bytes = secret_column()
    sign_count: int = Field(default=0, sa_type=BigInteger)
    user_verified: bool = False
    backed_up: bool = False
    transports: list[Any] = json_column()
    last_used_at: datetime | None = moment(nullable=True)


class SpentChallenge(Row, table=True):
    """A challenge that was answered once; a second answer finds its row."""

    __tablename__ = "spent_challenge"
    digest: bytes = secret_column(primary_key=True)
    expires_at: datetime = moment()


class Recovery(Row, table=True):
    """One attempt to get back in, bound to a browser; without an account where nobody has the name typed."""

    id: str = id_column("rec")
    account_id: str | None = Field(default=None, index=True)
    browser_hash: bytes = secret_column()
    known_device: bool = False
    tries: int = 0
    code_wanted_at: datetime | None = moment(nullable=True)
    code_hash: bytes | None = secret_column(nullable=True, default=None)
    code_expires_at: datetime | None = moment(nullable=True)
    code_proved_at: datetime | None = moment(nullable=True)
    saved_proved_at: datetime | None = moment(nullable=True)
    factor_proved_at: datetime | None = moment(nullable=True)
    manager_wanted_at: datetime | None = moment(nullable=True)
    stop_hash: bytes | None = secret_column(nullable=True, default=None)
    expires_at: datetime = moment()
    finished_at: datetime | None = moment(nullable=True)
    stopped_at: datetime | None = moment(nullable=True)


class Vouching(Row, table=True):
    """An access manager's word that a person who lost their second step is who they say; usable after a wait."""

    id: str = id_column("vou")
    account_id: str = Field(foreign_key="account.id", index=True)
    provider_id: str
    vouched_by: str
    usable_from: datetime = moment()
    expires_at: datetime = moment()
    spent_at: datetime | None = moment(nullable=True)
    ended_at: datetime | None = moment(nullable=True)
