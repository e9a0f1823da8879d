"""covering: a decision reads grants from their index alone; the log's indexes leave out what is not there

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_PERSON = ["account_id", "provider_id", "line_of_business", "entitlement"]
_ALL = [*_PERSON, "effect", "not_before", "expires_at", "ended_at", "delegation_id", "id"]
_LOG = (
    ("ix_audit_record_account", ["account_id", "seq"]),
    ("ix_audit_record_provider", ["provider_id", "seq"]),
    ("ix_audit_record_decision_id", ["decision_id"]),
)


def upgrade() -> None:
    op.drop_index("ix_grant_by_person", "grant")
    op.create_index("ix_grant_by_person", "grant", _ALL)
    for name, columns in _LOG:
        known = sa.text(f"{columns[0]} IS NOT NULL")
        op.drop_index(name, "audit_record")
        op.create_index(name, "audit_record", columns, sqlite_where=known, postgresql_where=known)


def downgrade() -> None:
    op.drop_index("ix_grant_by_person", "grant")
    op.create_index("ix_grant_by_person", "grant", _PERSON)
    for name, columns in _LOG:
        op.drop_index(name, "audit_record")
        op.create_index(name, "audit_record", columns)
