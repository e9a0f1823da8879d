"""Tables of the access manager's work."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field

from idp.database.types import Row, id_column, json_column, moment


class Receipt(Row, table=True):
    """What one sent form did, written with it: the proof page, and the reason a double click does nothing."""

    __table_args__ = (
        CheckConstraint("kind IN ('change','removal','invitation')", name="kind"),
        Index("uq_receipt_form", "made_by", "form_id", unique=True),
    )
    id: str = id_column("rct")
    kind: str
    provider_id: str = Field(index=True)
    account_id: str | None = Field(default=None, index=True)
    made_by: str
    form_id: str
    """Random, made when the form was shown; the same form sent again finds this row."""
    reason: str = ""
    facts: dict[str, Any] = json_column()
    """What was done, in keys, ids, counts and times; never names."""
    at: datetime = moment(default_now=True)
