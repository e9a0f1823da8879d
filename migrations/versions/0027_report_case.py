"""a report of misuse names the case it opened

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
    op.add_column("security_report", sa.Column("case_id", sa.String(), nullable=True))
    op.create_index("ix_security_report_case_id", "security_report", ["case_id"])


def downgrade() -> None:
    op.drop_index("ix_security_report_case_id", "security_report")
    op.drop_column("security_report", "case_id")
