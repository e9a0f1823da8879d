"""a record stands only in the indexes of what it names: the four that held every record hold no empty values any more

Revision ID: 0042
Revises: 0041
"""

from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

_INDEXES = {
    "account": ("account_id, seq", "account_id"),
    "actor": ("actor_id, seq", "actor_id"),
    "provider": ("provider_id, seq", "provider_id"),
    "decision_id": ("decision_id", "decision_id"),
}


def upgrade() -> None:
    for name, (columns, named) in _INDEXES.items():
        op.execute(f"DROP INDEX ix_audit_record_{name}")
        op.execute(f"CREATE INDEX ix_audit_record_{name} ON audit_record ({columns}) WHERE {named} IS NOT NULL")


def downgrade() -> None:
    for name, (columns, _) in _INDEXES.items():
        op.execute(f"DROP INDEX ix_audit_record_{name}")
        op.execute(f"CREATE INDEX ix_audit_record_{name} ON audit_record ({columns})")
