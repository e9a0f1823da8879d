"""a report of misuse names the case it opened

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
    op.add_column("security_report", sa.Column("case_id", sa.String(), nullable=True))
    op.create_index("ix_security_report_case_id", "security_report", ["case_id"])


def downgrade() -> None:
    op.drop_index("ix_security_report_case_id", "security_report")
    op.drop_column("security_report", "case_id")
