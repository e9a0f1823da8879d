"""who used emergency access without need is barred until somebody lifts it

Revision ID: 0038
Revises: 0037
"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("emergency_use", sa.Column("by_desk", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("emergency_use", sa.Column("lifted_at", sa.BigInteger(), nullable=True))
    op.add_column("emergency_use", sa.Column("lifted_by", sa.String(), nullable=True))
    op.add_column("emergency_use", sa.Column("lifted_because", sa.String(), nullable=False, server_default=""))


def downgrade() -> None:
    for name in ("lifted_because", "lifted_by", "lifted_at", "by_desk"):
        op.drop_column("emergency_use", name)
