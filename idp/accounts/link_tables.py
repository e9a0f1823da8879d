"""Tables of the link journal: who got which login, on whose proof, and what was done about it since."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint
from sqlmodel import Field

from idp.database.types import Row, id_column, json_column, moment, secret_column


class LinkEntry(Row, table=True):
    """One line of the journal: a login came to, left, or moved between accounts."""

    __table_args__ = (CheckConstraint("act IN ('linked','unlinked','moved')", name="act"),)
    __tablename__ = "link_entry"
    id: str = id_column("lnk")
    account_id: str = Field(index=True)
    """Whose login it is from then on; for `unlinked` whose it was."""
    login_id: str = Field(index=True)
    act: str
    from_account_id: str | None = None
    operation_id: str | None = Field(default=None, index=True)
    by: str
    because: str = ""
    proof: dict[str, Any] = json_column()
    """What proved it: the session, the pending link, the invitation. Ids only."""
    undone_at: datetime | None = moment(nullable=True)
    undone_by: str | None = None


class LinkOperation(Row, table=True):
    """Two accounts made one, or one made two; `moved` is what it takes to go back."""

    __table_args__ = (CheckConstraint("kind IN ('merge','split')", name="kind"),)
    __tablename__ = "link_operation"
    id: str = id_column("lop")
    kind: str
    account_id: str = Field(index=True)
    """The account kept (merge), the account divided (split)."""
    other_id: str = Field(index=True)
    """The account closed (merge), the account made (split)."""
    by: str
    because: str = ""
    moved: dict[str, Any] = json_column()
    undone_at: datetime | None = moment(nullable=True)
    undone_by: str | None = None


class PendingMerge(Row, table=True):
    """A person proved one account and is about to prove another, in the same browser, once (security.md 29)."""

    __tablename__ = "pending_merge"
    id: str = id_column("pmg")
    browser_hash: bytes = secret_column()
    account_id: str
    """The account to be kept, proved fresh when this was made."""
    login_id: str
    proved_at: datetime = moment()
    expires_at: datetime = moment(index=True)
    spent_at: datetime | None = moment(nullable=True)
