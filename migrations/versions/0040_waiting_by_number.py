"""what waits to be sealed lies under its number itself on SQLite: one tree to write for a record, not two

Revision ID: 0040
Revises: 0039
"""

from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

_TRIGGER = (
    "CREATE TRIGGER audit_record_unsealed AFTER INSERT ON audit_record "
    "BEGIN INSERT INTO audit_unsealed (seq) VALUES (NEW.seq); END"
)
_COLUMNS = "created_at, seq, at, refused_at"


def upgrade() -> None:
    _with_numbers_of("INTEGER")


def downgrade() -> None:
    _with_numbers_of("BIGINT")


def _with_numbers_of(kind: str) -> None:
    """Make the waiting list anew; on PostgreSQL every primary key is an index beside its rows."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute("DROP TRIGGER audit_record_unsealed")
    op.execute("ALTER TABLE audit_unsealed RENAME TO audit_unsealed_before")
    op.execute(
        f"CREATE TABLE audit_unsealed (created_at BIGINT, seq {kind} NOT NULL, at BIGINT, refused_at BIGINT, "
        "CONSTRAINT pk_audit_unsealed PRIMARY KEY (seq))"
    )
    op.execute(f"INSERT INTO audit_unsealed ({_COLUMNS}) SELECT {_COLUMNS} FROM audit_unsealed_before")
    op.execute("DROP TABLE audit_unsealed_before")
    op.execute(_TRIGGER)
