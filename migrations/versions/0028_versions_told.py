"""when access managers were told of a version to come

Revision ID: 0028
Revises: 0027
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("bundle", "catalogue_change"):
        op.add_column(table, sa.Column("told_at", sa.BigInteger(), nullable=True))
        op.execute(f"UPDATE {table} SET told_at = created_at")


def downgrade() -> None:
    for table in ("bundle", "catalogue_change"):
        op.drop_column(table, "told_at")
