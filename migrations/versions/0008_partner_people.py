"""partner_person: people whom partners tell us about (SCIM)

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_KEPT = sa.text("removed_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "partner_person",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("partner_id", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("external_id", sa.String(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_partner_person_partner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partner_person")),
    )
    for name, column in (("name", "name_key"), ("subject", "external_id")):
        op.create_index(
            f"uq_partner_person_{name}",
            "partner_person",
            ["partner_id", column],
            unique=True,
            sqlite_where=_KEPT,
            postgresql_where=_KEPT,
        )


def downgrade() -> None:
    op.drop_table("partner_person")
