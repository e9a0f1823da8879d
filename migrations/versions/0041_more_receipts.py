"""receipts of appointments, reviews, ended delegations and accepted invitations; of what a partner takes off its list

Revision ID: 0041
Revises: 0040
"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_BEFORE = "'change','removal','invitation','delegation'"


def upgrade() -> None:
    _kinds(_BEFORE + ",'delegation_end','appointment','review','joined'")
    op.add_column("partner_person", sa.Column("promise", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("partner_person", "promise")
    op.execute(f"DELETE FROM receipt WHERE kind NOT IN ({_BEFORE})")
    _kinds(_BEFORE)


def _kinds(kinds: str) -> None:
    with op.batch_alter_table("receipt") as batch:
        batch.drop_constraint(op.f("ck_receipt_kind"), type_="check")
        batch.create_check_constraint(op.f("ck_receipt_kind"), f"kind IN ({kinds})")
