"""linking: the link journal, statuses by day, upstream sessions and keys, trust communities, pushed requests

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("account", sa.Column("merged_into", sa.String(), nullable=True)),
    ("login", sa.Column("facts_at", sa.BigInteger(), nullable=True)),
    ("login", sa.Column("ceiling", sa.String(), nullable=True)),
    ("login", sa.Column("held_at", sa.BigInteger(), nullable=True)),
    ("login", sa.Column("held_facts", sa.Text(), nullable=True)),
    ("session", sa.Column("upstream_sid", sa.String(), nullable=True)),
    ("upstream", sa.Column("client_keys", sa.LargeBinary(), nullable=True)),
    ("upstream", sa.Column("community_id", sa.String(), nullable=True)),
    ("client", sa.Column("require_par", sa.Boolean(), nullable=False, server_default=sa.false())),
)
_TABLES = (
    "pushed_request",
    "trust_community",
    "seen_logout",
    "pending_merge",
    "link_operation",
    "link_entry",
    "status_change",
)


def upgrade() -> None:
    for table, column in _COLUMNS:
        op.add_column(table, column)
    live = sa.text("upstream_sid IS NOT NULL")
    op.create_index("ix_session_upstream_sid", "session", ["upstream_sid"], sqlite_where=live, postgresql_where=live)
    op.create_table(
        "status_change",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_status_change"),
    )
    op.create_index("ix_status_change_subject", "status_change", ["subject_id", "at"])
    for table in ("account", "partner"):
        op.execute(
            f"INSERT INTO status_change (created_at, subject_id, status, at) "
            f"SELECT created_at, id, status, created_at FROM {table}"
        )
    op.create_table(
        "link_entry",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("login_id", sa.String(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("from_account_id", sa.String(), nullable=True),
        sa.Column("operation_id", sa.String(), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.Column("undone_by", sa.String(), nullable=True),
        sa.CheckConstraint("act IN ('linked','unlinked','moved')", name=op.f("ck_link_entry_act")),
        sa.PrimaryKeyConstraint("id", name="pk_link_entry"),
    )
    for column in ("account_id", "login_id", "operation_id"):
        op.create_index(f"ix_link_entry_{column}", "link_entry", [column])
    op.create_table(
        "link_operation",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("other_id", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("because", sa.String(), nullable=False),
        sa.Column("moved", sa.Text(), nullable=False),
        sa.Column("undone_at", sa.BigInteger(), nullable=True),
        sa.Column("undone_by", sa.String(), nullable=True),
        sa.CheckConstraint("kind IN ('merge','split')", name=op.f("ck_link_operation_kind")),
        sa.PrimaryKeyConstraint("id", name="pk_link_operation"),
    )
    for column in ("account_id", "other_id"):
        op.create_index(f"ix_link_operation_{column}", "link_operation", [column])
    op.create_table(
        "pending_merge",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("login_id", sa.String(), nullable=False),
        sa.Column("proved_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("spent_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_pending_merge"),
    )
    op.create_index("ix_pending_merge_expires_at", "pending_merge", ["expires_at"])
    op.create_table(
        "seen_logout",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("upstream_id", sa.String(), nullable=False),
        sa.Column("jti", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("upstream_id", "jti", name="pk_seen_logout"),
    )
    op.create_index("ix_seen_logout_expires_at", "seen_logout", ["expires_at"])
    op.create_table(
        "trust_community",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("partner_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("anchors", sa.String(), nullable=False),
        sa.Column("certificates", sa.String(), nullable=False),
        sa.Column("private_key", sa.LargeBinary(), nullable=False),
        sa.Column("acr_map", sa.Text(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.CheckConstraint("status IN ('active','disabled')", name=op.f("ck_trust_community_status")),
        sa.ForeignKeyConstraint(["partner_id"], ["partner.id"], name="fk_trust_community_partner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_trust_community"),
    )
    op.create_index("ix_trust_community_partner_id", "trust_community", ["partner_id"])
    op.create_table(
        "pushed_request",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("spent_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("request_hash", name="pk_pushed_request"),
    )
    op.create_index("ix_pushed_request_expires_at", "pushed_request", ["expires_at"])


def downgrade() -> None:
    op.drop_index("ix_session_upstream_sid", "session")
    for table in _TABLES:
        op.drop_table(table)
    for table, column in reversed(_COLUMNS):
        op.drop_column(table, column.name)
