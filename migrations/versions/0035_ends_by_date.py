"""until when ends by date were told, how often an interim manager was warned; indexes on dates

Revision ID: 0035
Revises: 0034
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None
LIVE = sa.text("ended_at IS NULL")
TO_COME = sa.text("ended_at IS NULL AND effect = 'deny'")


def upgrade() -> None:
    told = op.create_table(
        "date_told",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_date_told")),
    )
    now = time.time_ns() // 1000
    op.bulk_insert(told, [{"created_at": now, "id": 1, "at": now}])
    op.add_column("appointment", sa.Column("warned", sa.Integer(), server_default="0", nullable=False))
    for table in ("agreement", "participation"):
        op.create_index(f"ix_{table}_ends_at", table, ["ends_at"])
    for table in ("portal_access", "appointment", "affiliation", "delegation"):
        op.create_index(f"ix_{table}_ends_at", table, ["ends_at"], sqlite_where=LIVE, postgresql_where=LIVE)
    op.create_index("ix_attestation_expires_at", "attestation", ["expires_at"])
    op.create_index("ix_grant_pause_begins", "grant", ["not_before"], sqlite_where=TO_COME, postgresql_where=TO_COME)


def downgrade() -> None:
    op.drop_index("ix_grant_pause_begins", "grant")
    op.drop_index("ix_attestation_expires_at", "attestation")
    for table in ("delegation", "affiliation", "appointment", "portal_access", "participation", "agreement"):
        op.drop_index(f"ix_{table}_ends_at", table)
    op.drop_column("appointment", "warned")
    op.drop_table("date_told")
