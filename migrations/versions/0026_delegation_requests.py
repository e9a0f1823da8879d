"""what outside companies ask practices for

Revision ID: 0026
Revises: 0025
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

_WANTED = sa.text("status = 'requested'")


def upgrade() -> None:
    op.create_table(
        "delegation_request",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("partner_id", sa.String(), nullable=False),
        sa.Column("tin_hash", sa.LargeBinary(), nullable=False),
        sa.Column("tin_last4", sa.String(), nullable=False),
        sa.Column("entitlements", sa.Text(), nullable=False),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("delegation_id", sa.String(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "status IN ('requested','approved','denied','withdrawn','expired')",
            name=op.f("ck_delegation_request_status"),
        ),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name=op.f("fk_delegation_request_partner_id_partner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delegation_request")),
    )
    op.create_index(
        "uq_delegation_request_waiting",
        "delegation_request",
        ["tin_hash", "partner_id"],
        unique=True,
        sqlite_where=_WANTED,
        postgresql_where=_WANTED,
    )
    op.create_index("ix_delegation_request_partner", "delegation_request", ["partner_id", "created_at"])
    op.create_index(
        "ix_delegation_request_due",
        "delegation_request",
        ["expires_at"],
        sqlite_where=_WANTED,
        postgresql_where=_WANTED,
    )


def downgrade() -> None:
    op.drop_table("delegation_request")
