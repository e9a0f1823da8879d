"""requests for access by the person, and changes that a second manager has to confirm

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_ASKED = sa.text("status = 'submitted'")


def _place(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("entitlement", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f(f"fk_{table}_account_id_account")),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name=op.f(f"fk_{table}_provider_id_provider")),
    ]


def _decision() -> list[sa.Column]:
    return [
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    ]


def upgrade() -> None:
    op.create_table(
        "access_request",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        *_place("access_request"),
        sa.Column("note", sa.String(), nullable=False),
        *_decision(),
        sa.Column("reminded", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "status IN ('submitted','approved','denied','withdrawn','expired')", name=op.f("ck_access_request_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_request")),
    )
    op.create_index(
        "uq_access_request_waiting",
        "access_request",
        ["account_id", "provider_id", "line", "entitlement"],
        unique=True,
        sqlite_where=_ASKED,
        postgresql_where=_ASKED,
    )
    op.create_index("ix_access_request_inbox", "access_request", ["provider_id", "status"])
    op.create_index(
        "ix_access_request_due", "access_request", ["expires_at"], sqlite_where=_ASKED, postgresql_where=_ASKED
    )
    op.create_table(
        "held_change",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        *_place("held_change"),
        *_decision(),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.CheckConstraint("status IN ('waiting','confirmed','refused')", name=op.f("ck_held_change_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_held_change")),
    )
    op.create_index("ix_held_change_inbox", "held_change", ["provider_id", "status"])
