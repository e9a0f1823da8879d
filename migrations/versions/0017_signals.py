"""signals: streams, deliveries, receipts; a commit of revocations rings a bell on PostgreSQL

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_WAITING = sa.text("delivered_at IS NULL AND failed_at IS NULL")


def _row() -> sa.Column:
    return sa.Column("created_at", sa.BigInteger(), nullable=False)


def upgrade() -> None:
    op.add_column("revocation", sa.Column("client_id", sa.String(), nullable=True))
    op.add_column("revocation", sa.Column("facts", sa.Text(), nullable=True))
    op.add_column("client", sa.Column("signals", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("login", sa.Column("held_because", sa.String(), nullable=True))
    op.create_table(
        "signal_stream",
        _row(),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("endpoint_url", sa.String(), nullable=True),
        sa.Column("authorization", sa.LargeBinary(), nullable=True),
        sa.Column("events_requested", sa.Text(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("status_reason", sa.String(), nullable=True),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("method IN ('push','poll')", name=op.f("ck_signal_stream_method")),
        sa.CheckConstraint("status IN ('enabled','paused','disabled')", name=op.f("ck_signal_stream_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signal_stream")),
    )
    op.create_index("ix_signal_stream_client_id", "signal_stream", ["client_id"])
    op.create_table(
        "signal_subject",
        _row(),
        sa.Column("stream_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "account_id", name=op.f("pk_signal_subject")),
    )
    op.create_table(
        "signal_delivery",
        _row(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("jti", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("receiver", sa.String(), nullable=False),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=True),
        sa.Column("claims", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("failed_at", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.String(), nullable=True),
        sa.CheckConstraint("method IN ('push','poll','logout')", name=op.f("ck_signal_delivery_method")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signal_delivery")),
        sa.UniqueConstraint("jti", name=op.f("uq_signal_delivery_jti")),
    )
    op.create_index(
        "ix_signal_delivery_waiting",
        "signal_delivery",
        ["receiver", "id"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.create_index("ix_signal_delivery_seq", "signal_delivery", ["seq"])
    op.create_table(
        "signal_cursor",
        _row(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signal_cursor")),
    )
    op.create_table(
        "feed_receipt",
        _row(),
        sa.Column("client_id", sa.String(), nullable=False),
        sa.Column("reader", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("client_id", "reader", "seq", name=op.f("pk_feed_receipt")),
    )
    # What happened before there were receivers is told to nobody.
    op.execute("INSERT INTO signal_cursor (id, seq, created_at) SELECT 1, seq, created_at FROM revocation_counter")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION ring_revocations() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_notify('idp_revocations', NEW.seq::text); RETURN NULL; END $$"
        )
        op.execute(
            "CREATE TRIGGER revocation_counter_rings AFTER UPDATE ON revocation_counter "
            "FOR EACH ROW EXECUTE FUNCTION ring_revocations()"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER revocation_counter_rings ON revocation_counter")
        op.execute("DROP FUNCTION ring_revocations()")
    for table in ("feed_receipt", "signal_cursor", "signal_delivery", "signal_subject", "signal_stream"):
        op.drop_table(table)
    op.drop_column("login", "held_because")
    op.drop_column("client", "signals")
    op.drop_column("revocation", "facts")
    op.drop_column("revocation", "client_id")
