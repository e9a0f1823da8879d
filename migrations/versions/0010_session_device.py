"""the sign-in page finds the login last used on a device by key

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_session_device", "session", ["device_id", "auth_time"])
