"""feed_receipt by time: who heard of a revocation is found without reading every receipt

Revision ID: 0022
Revises: 0021
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_feed_receipt_at", "feed_receipt", ["at"])


def downgrade() -> None:
    op.drop_index("ix_feed_receipt_at", "feed_receipt")
