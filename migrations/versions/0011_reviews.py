"""reviews of who has what at a practice, their people and their calendar

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_UNDER_WAY = sa.text("status IN ('open','missed')")


def upgrade() -> None:
    op.create_table(
        "review",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reminded", sa.Integer(), nullable=False),
        sa.Column("signed_by", sa.String(), nullable=True),
        sa.Column("signed_at", sa.BigInteger(), nullable=True),
        sa.Column("report", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('regular','succession')", name=op.f("ck_review_kind")),
        sa.CheckConstraint("status IN ('open','missed','signed','ended')", name=op.f("ck_review_status")),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name=op.f("fk_review_provider_id_provider")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
    )
    op.create_index(op.f("ix_review_provider_id"), "review", ["provider_id"])
    op.create_index(
        "uq_review_under_way",
        "review",
        ["provider_id", "line", "kind"],
        unique=True,
        sqlite_where=_UNDER_WAY,
        postgresql_where=_UNDER_WAY,
    )
    op.create_index("ix_review_due", "review", ["due_at"], sqlite_where=_UNDER_WAY, postgresql_where=_UNDER_WAY)
    op.create_table(
        "review_item",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("review_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("answered_by", sa.String(), nullable=True),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.CheckConstraint("answer IN ('keep','change','remove')", name=op.f("ck_review_item_answer")),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], name=op.f("fk_review_item_review_id_review")),
        sa.PrimaryKeyConstraint("review_id", "account_id", name=op.f("pk_review_item")),
    )
    op.create_index(op.f("ix_review_item_account_id"), "review_item", ["account_id"])
    op.create_table(
        "review_calendar",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name=op.f("fk_review_calendar_provider_id_provider")),
        sa.PrimaryKeyConstraint("provider_id", "line", name=op.f("pk_review_calendar")),
    )
    op.create_index(op.f("ix_review_calendar_next_at"), "review_calendar", ["next_at"])
