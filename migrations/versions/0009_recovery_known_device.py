"""an attempt to get back in knows whether its browser is one of the person's own

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recovery", sa.Column("known_device", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("recovery") as table:
        table.alter_column("known_device", server_default=None)
