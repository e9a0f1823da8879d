"""until when an invitation gives access

Revision ID: 0036
Revises: 0035
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invitation", sa.Column("access_ends_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("invitation", "access_ends_at")
