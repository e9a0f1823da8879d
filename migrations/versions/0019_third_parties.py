"""third parties: their people and administrators, what may be passed on, for which places, and who ended it

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_LIVE = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "partner_member",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("partner_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("administrator", sa.Boolean(), nullable=False),
        sa.Column("named_by", sa.String(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("end_reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_partner_member_partner_id_partner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_member")),
    )
    op.create_index(
        "uq_partner_member_live",
        "partner_member",
        ["partner_id", "account_id"],
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
    op.create_index("ix_partner_member_account", "partner_member", ["account_id"])
    op.add_column("delegation", sa.Column("redelegable", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("delegation", sa.Column("ended_by", sa.String(), nullable=True))
    op.add_column("delegation", sa.Column("end_reason", sa.String(), nullable=True))
    named = sa.text("delegation_id IS NOT NULL")
    op.create_index("ix_grant_by_delegation", "grant", ["delegation_id"], sqlite_where=named, postgresql_where=named)
    op.add_column("affiliation", sa.Column("locations", sa.Text(), nullable=True))
    op.add_column("invitation", sa.Column("partner_id", sa.String(), nullable=True))
    op.add_column("invitation", sa.Column("administrator", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(op.f("ix_invitation_partner_id"), "invitation", ["partner_id"])
    for table, column in (("delegation", "redelegable"), ("invitation", "administrator")):
        with op.batch_alter_table(table) as batch:
            batch.alter_column(column, server_default=None)
    with op.batch_alter_table("receipt") as batch:
        batch.drop_constraint(op.f("ck_receipt_kind"), type_="check")
        batch.create_check_constraint(op.f("ck_receipt_kind"), "kind IN ('change','removal','invitation','delegation')")
