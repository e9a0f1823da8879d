"""Tables of the log: insert-only records, sealed batches, signed checkpoints (decisions.md 8)."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Integer, UniqueConstraint, text
from sqlmodel import Field

from idp.database.types import JsonText, Row, moment, secret_column

OWN = text("substr(event, 1, 9) = 'accounts.'")
"""What happened to a person's account, logins and sessions: what they see of the log themselves (T-37)."""


def only(where: str) -> dict[str, Any]:
    """Return the arguments of an index over the rows of which `where` holds."""
    return {"sqlite_where": text(where), "postgresql_where": text(where)}


_BIG = BigInteger().with_variant(Integer, "sqlite")  # only INTEGER PRIMARY KEY numbers itself on SQLite


class AuditRecord(Row, table=True):
    """One event. `leaf` is the exact stored bytes that are hashed; the columns repeat it for search."""

    __table_args__ = (
        Index("ix_audit_record_own", "account_id", "seq", sqlite_where=OWN, postgresql_where=OWN),
        # A record stands only in the indexes of what it names: each is a page that its commit writes.
        *(
            Index(f"ix_audit_record_{name}", f"{name}_id", "seq", **only(f"{name}_id IS NOT NULL"))
            for name in ("account", "actor", "provider")
        ),
        Index("ix_audit_record_decision_id", "decision_id", **only("decision_id IS NOT NULL")),
        Index("ix_audit_record_event", "event", "seq"),
        Index("ix_audit_record_at", "at", "seq"),
        *(
            Index(f"ix_audit_record_{name}", name, "seq", **only(f"{name} IS NOT NULL"))
            for name in ("session_id", "device_id", "client_id", "entitlement", "reason", "request_id", "address_hash")
        ),
        Index("ix_audit_record_outcome", "outcome", "seq"),
    )
    __tablename__ = "audit_record"
    seq: int | None = Field(default=None, primary_key=True, sa_type=_BIG)
    at: datetime = moment()
    event: str
    outcome: str = "done"
    actor_id: str | None = None
    account_id: str | None = None
    provider_id: str | None = None
    entitlement: str | None = None
    client_id: str | None = None
    session_id: str | None = None
    device_id: str | None = None
    decision_id: str | None = None
    request_id: str | None = None
    reason: str | None = None
    address_hash: bytes | None = secret_column(nullable=True, default=None)
    leaf: bytes = secret_column()
    mac: bytes = secret_column()
    """HMAC of the leaf under a key outside the database: a row put in by hand does not have it."""


class AuditUnsealed(Row, table=True):
    """Filled by a trigger on audit_record; emptied by the sealer. "Not yet sealed" is this table."""

    __tablename__ = "audit_unsealed"
    created_at: datetime | None = moment(nullable=True)  # type: ignore[assignment]  # the trigger gives only the number
    seq: int = Field(primary_key=True, sa_type=_BIG, sa_column_kwargs={"autoincrement": False})
    at: datetime | None = moment(nullable=True)
    """The record's own moment: it names the partition in which the record lies."""
    refused_at: datetime | None = moment(nullable=True)
    """The sealer refused it: nobody of ours wrote the record, or it is gone."""


class AuditBatch(Row, table=True):
    """Records sealed together: their numbers and leaf hashes, in tree order."""

    __table_args__ = (Index("ix_audit_batch_seqs", "low_seq", "high_seq"),)
    __tablename__ = "audit_batch"
    first_index: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    count: int
    low_seq: int = Field(sa_type=BigInteger)
    high_seq: int = Field(sa_type=BigInteger)
    """Smallest and largest number in the batch, to find a record's batch."""
    seqs: bytes = secret_column()
    """8 bytes big-endian each."""
    hashes: bytes = secret_column()
    """RFC 6962 leaf hashes, 32 bytes each."""


class AuditCheckpoint(Row, table=True):
    """A signed statement of the tree's size and root; `frontier` lets the sealer go on from here.

    Numbered without gaps; an idle log repeats its size, which shows that the sealer is alive.
    """

    __tablename__ = "audit_checkpoint"
    number: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    size: int = Field(sa_type=BigInteger, index=True)
    root: bytes = secret_column()
    frontier: bytes = secret_column()
    note: str
    at: datetime = moment()


class SubjectKey(Row, table=True):
    """A person's own key for the person fields of their records; destroying it shreds them."""

    __tablename__ = "subject_key"
    account_id: str = Field(primary_key=True)
    key: bytes | None = secret_column(nullable=True, default=None)
    shredded_at: datetime | None = moment(nullable=True)


class AuditPruned(Row, table=True):
    """A batch of which records were destroyed after their time: what is left to prove that they were there."""

    __tablename__ = "audit_pruned"
    first_index: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    count: int
    low_seq: int = Field(sa_type=BigInteger)
    high_seq: int = Field(sa_type=BigInteger)
    nodes: bytes = secret_column()
    """Level and hash, 33 bytes each, of the perfect subtrees the batch fills; empty while the batch itself is kept."""
    gone: bytes = secret_column()
    """Numbers, 8 bytes each, of the destroyed records of a batch that is kept because others of it are."""


class AuditHold(Row, table=True):
    """A legal hold: while it is live, the records of this person or practice are neither pruned nor shredded."""

    __tablename__ = "audit_hold"
    id: str = Field(primary_key=True)
    account_id: str | None = None
    provider_id: str | None = None
    """Both empty: the whole log."""
    reason: str
    placed_by: str
    lifted_at: datetime | None = moment(nullable=True)
    lifted_by: str | None = None


class SavedSearch(Row, table=True):
    """A search somebody keeps by a name of their own."""

    __tablename__ = "saved_search"
    __table_args__ = (UniqueConstraint("account_id", "name"),)
    id: str = Field(primary_key=True)
    account_id: str
    name: str
    filters: Any = Field(sa_type=JsonText)


class DeskDigest(Row, table=True):
    """A day whose digest was written: the row is the right to write it."""

    __tablename__ = "desk_digest"
    day: str = Field(primary_key=True)
