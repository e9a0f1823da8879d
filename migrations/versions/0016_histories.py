"""replays know what an organisation, its payment, a delegation and a person's identity level were on a past day

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("status_change", sa.Column("what", sa.String(), nullable=False, server_default="status"))
    op.add_column("status_change", sa.Column("before", sa.String(), nullable=True))
    with op.batch_alter_table("status_change") as table:
        table.alter_column("what", server_default=None)
