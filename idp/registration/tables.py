"""Tables of registration."""

from datetime import datetime

from sqlmodel import Field

from idp.database.types import Row, id_column, moment, secret_column


class Invitation(Row, table=True):
    """A one-time link to join an organisation (or, without one, to become first administrator)."""

    id: str = id_column("inv")
    token_hash: bytes = secret_column(unique=True)
    account_id: str | None = None
    provider_id: str | None = Field(default=None, index=True)
    line: str = "medical"
    capacity: str = "employee"
    email: str = ""
    display_name: str = ""
    bundle: str | None = None
    invited_by: str
    expires_at: datetime = moment()
    spent_at: datetime | None = moment(nullable=True)
    spent_by: str | None = None
    ended_at: datetime | None = moment(nullable=True)
