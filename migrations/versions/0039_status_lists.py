"""the token status list: lists, whose blocks of places, tokens at them, and until where revocations were looked at

Revision ID: 0039
Revises: 0038
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None
MARKED = sa.text("revoked_at IS NOT NULL")
TABLES = ("status_place", "status_entry", "status_block", "status_list")


def _created() -> sa.Column[int]:
    return sa.Column("created_at", sa.BigInteger(), nullable=False)


def upgrade() -> None:
    op.create_table(
        "status_list",
        _created(),
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.Column("leased", sa.Integer(), nullable=False),
        sa.Column("filled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_status_list")),
        sa.UniqueConstraint("name", name=op.f("uq_status_list_name")),
    )
    op.create_table(
        "status_block",
        _created(),
        sa.Column("list_number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("block", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("list_number", "block", name=op.f("pk_status_block")),
    )
    op.create_table(
        "status_entry",
        _created(),
        sa.Column("list_number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("idx", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=True),
        sa.Column("session_id", sa.String(), nullable=True),
        sa.Column("family_id", sa.String(), nullable=True),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("authz_epoch", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("list_number", "idx", name=op.f("pk_status_entry")),
    )
    for column in ("account_id", "provider_id", "expires_at"):
        op.create_index(f"ix_status_entry_{column}", "status_entry", [column])
    op.create_index(
        "ix_status_entry_marked", "status_entry", ["list_number"], sqlite_where=MARKED, postgresql_where=MARKED
    )
    place = op.create_table(
        "status_place",
        _created(),
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_place")),
    )
    op.bulk_insert(place, [{"created_at": time.time_ns() // 1000, "id": 1, "seq": 0}])
    op.add_column("client", sa.Column("token_status_list", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("client", "token_status_list")
    for table in TABLES:
        op.drop_table(table)
