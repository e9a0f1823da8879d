"""accounts by the account that took them over, appeals whose answer is late

Revision ID: 0033
Revises: 0032
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None
MERGED = sa.text("merged_into IS NOT NULL")


def upgrade() -> None:
    op.create_index("ix_account_merged_into", "account", ["merged_into"], sqlite_where=MERGED, postgresql_where=MERGED)
    op.add_column("case_appeal", sa.Column("escalated_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("case_appeal", "escalated_at")
    op.drop_index("ix_account_merged_into", "account")
