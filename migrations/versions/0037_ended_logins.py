"""removed logins found by who they were

Revision ID: 0037
Revises: 0036
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_ENDED = sa.text("ended_at IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_login_ended_identity", "login", ["issuer", "subject"], sqlite_where=_ENDED, postgresql_where=_ENDED
    )


def downgrade() -> None:
    op.drop_index("ix_login_ended_identity", table_name="login")
