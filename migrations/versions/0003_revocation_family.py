"""revocation.family_id: an ended token family is named in the feed, so that apps can refuse its tokens

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("revocation", sa.Column("family_id", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("revocation", "family_id")
