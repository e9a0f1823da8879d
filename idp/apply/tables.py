"""What the applied file calls a thing, and which thing that is."""

from sqlmodel import Field

from idp.database.types import Row


class AppliedReference(Row, table=True):
    """A `ref` of the applied file and the id it was given; how a second apply finds the entry."""

    __tablename__ = "applied_reference"
    section: str = Field(primary_key=True)
    ref: str = Field(primary_key=True)
    target: str = Field(index=True)
