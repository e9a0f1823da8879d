"""absences, people not seen for long, emergency access and its review

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_LIVE = sa.text("ended_at IS NULL")
_OPEN = sa.text("reviewed_at IS NULL")


def _tied(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f(f"fk_{table}_account_id_account")),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name=op.f(f"fk_{table}_provider_id_provider")),
    ]


def upgrade() -> None:
    op.create_table(
        "absence",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        *_tied("absence"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_absence")),
    )
    op.create_index(
        "ix_absence_person",
        "absence",
        ["account_id", "provider_id", "line"],
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
    op.create_index("ix_absence_end", "absence", ["ends_at"], sqlite_where=_LIVE, postgresql_where=_LIVE)
    op.create_table(
        "inactivity",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("stage IN ('warned','paused')", name=op.f("ck_inactivity_stage")),
        *_tied("inactivity"),
        sa.PrimaryKeyConstraint("account_id", "provider_id", name=op.f("pk_inactivity")),
    )
    op.create_index(op.f("ix_inactivity_since"), "inactivity", ["since"])
    op.create_table(
        "emergency_use",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("functions", sa.Text(), nullable=False),
        sa.Column("grants", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("reminded", sa.Boolean(), nullable=False),
        sa.Column("reviewed_by", sa.String(), nullable=True),
        sa.Column("reviewed_at", sa.BigInteger(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.CheckConstraint("verdict IN ('justified','not_justified')", name=op.f("ck_emergency_use_verdict")),
        *_tied("emergency_use"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_use")),
    )
    op.create_index(
        "uq_emergency_use_live",
        "emergency_use",
        ["account_id", "provider_id"],
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
    op.create_index("ix_emergency_use_provider", "emergency_use", ["provider_id", "starts_at"])
    op.create_index("ix_emergency_use_review", "emergency_use", ["due_at"], sqlite_where=_OPEN, postgresql_where=_OPEN)
