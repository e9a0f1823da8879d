"""a withholding may begin on a day to come, when apps are told

Revision ID: 0027
Revises: 0026
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("withheld_function", sa.Column("announced_at", sa.BigInteger(), nullable=True))
    op.execute("UPDATE withheld_function SET announced_at = starts_at")


def downgrade() -> None:
    op.drop_column("withheld_function", "announced_at")
