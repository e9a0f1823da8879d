"""receipt.promise: the log's signed promise of what a change recorded

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("receipt", sa.Column("promise", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("receipt", "promise")
