"""Tables of the token status list."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field

from idp.database.types import Row, moment, secret_column

_MARKED = text("revoked_at IS NOT NULL")
_KEY = {"autoincrement": False}


class StatusList(Row, table=True):
    """One list; of its places each is given out once, and never again."""

    __tablename__ = "status_list"
    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs=_KEY)
    name: str = Field(unique=True)
    """Last part of its address; random, so that nobody counts our lists."""
    seed: bytes = secret_column()
    """What the order of its places is made from."""
    leased: int = 0
    """Blocks given out."""
    filled_at: datetime | None = moment(nullable=True)


class StatusBlock(Row, table=True):
    """A block of places and the app whose tokens alone are at them."""

    __tablename__ = "status_block"
    list_number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs=_KEY)
    block: int = Field(primary_key=True, sa_column_kwargs=_KEY)
    client_id: str


class StatusEntry(Row, table=True):
    """A person's token at its place, for as long as it could be used; or a service's that was given back."""

    __table_args__ = (Index("ix_status_entry_marked", "list_number", sqlite_where=_MARKED, postgresql_where=_MARKED),)
    __tablename__ = "status_entry"
    list_number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs=_KEY)
    idx: int = Field(primary_key=True, sa_column_kwargs=_KEY)
    client_id: str
    account_id: str | None = Field(default=None, index=True)
    session_id: str | None = None
    family_id: str | None = None
    provider_id: str | None = Field(default=None, index=True)
    authz_epoch: int = Field(default=0, sa_type=BigInteger)
    """What the token says; it is refused once the account's is higher."""
    expires_at: datetime = moment(index=True)
    revoked_at: datetime | None = moment(nullable=True)


class StatusPlace(Row, table=True):
    """Single row: the number of the last revocation that was looked at for the lists."""

    __tablename__ = "status_place"
    id: int = Field(default=1, primary_key=True, sa_column_kwargs=_KEY)
    seq: int = Field(default=0, sa_type=BigInteger)
