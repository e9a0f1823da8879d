"""What is known of organisations from registries: their NPIs, their places, and the runs that import them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field

from idp.database.types import Row, id_column, json_column, moment


class ProviderNpi(Row, table=True):
    """An NPI (type 2) of an organisation; one organisation has as many as it has subparts."""

    __tablename__ = "provider_npi"
    id: str = id_column("npi")
    npi: str = Field(unique=True)
    provider_id: str = Field(foreign_key="provider.id", index=True)
    name: str = ""
    registry_facts: dict[str, Any] | None = json_column(nullable=True, default=None)
    registry_date: str = ""
    deactivated_at: datetime | None = moment(nullable=True)


class ProviderLocation(Row, table=True):
    """A place where an organisation works."""

    __tablename__ = "provider_location"
    __table_args__ = (
        CheckConstraint("source IN ('operator','registry')", name="source"),
        Index("uq_provider_location_npi", "npi", unique=True),
    )
    id: str = id_column("loc")
    provider_id: str = Field(foreign_key="provider.id", index=True)
    npi: str | None = None
    """The NPI whose practice location this is; None for one the operator wrote."""
    name: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    country: str = ""
    phone: str = ""
    source: str = "operator"
    starts_at: datetime = moment()
    ends_at: datetime | None = moment(nullable=True)


class ImportRun(Row, table=True):
    """One run over one file, and where it stands; written with each batch, in the batch's transaction."""

    __tablename__ = "import_run"
    id: str = id_column("imp")
    kind: str = "nppes"
    file_digest: str = Field(index=True)
    """SHA-256 over the file's size and its beginning."""
    position: int = Field(default=0, sa_type=BigInteger)
    """Bytes read and decided."""
    line: int = 0
    """Lines read and decided, the header being line 1."""
    errors_position: int = Field(default=0, sa_type=BigInteger)
    """Bytes of the error file that belong to what was decided."""
    counts: dict[str, Any] = json_column(default_factory=dict)
    updated_at: datetime = moment(default_now=True)
    finished_at: datetime | None = moment(nullable=True)
