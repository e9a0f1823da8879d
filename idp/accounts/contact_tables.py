"""Addresses somebody wants to add to their account, until the link mailed there comes back."""

from datetime import datetime

from sqlmodel import Field

from idp.database.types import Row, id_column, moment, secret_column


class AddressProof(Row, table=True):
    """A link mailed to a new address; it counts once, for the account that asked."""

    __tablename__ = "address_proof"
    id: str = id_column("adp")
    account_id: str = Field(foreign_key="account.id", index=True)
    email: str
    token_hash: bytes = secret_column(unique=True)
    expires_at: datetime = moment()
    spent_at: datetime | None = moment(nullable=True)
