"""the log by months on PostgreSQL, an index for every filter the desk offers, what was pruned and what is held

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_BY = ("session_id", "device_id", "client_id", "entitlement", "reason", "request_id", "address_hash")
_MONTH = """
CREATE FUNCTION audit_record_month(m timestamp) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    begins bigint := (extract(epoch FROM date_trunc('month', m)) * 1000000)::bigint;
    ends bigint := (extract(epoch FROM date_trunc('month', m) + interval '1 month') * 1000000)::bigint;
    name text := 'audit_record_' || to_char(m, 'YYYY_MM');
BEGIN
    IF to_regclass(name) IS NOT NULL OR EXISTS (SELECT 1 FROM audit_record_rest r WHERE r.at >= begins AND r.at < ends)
    THEN RETURN false; END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF audit_record FOR VALUES FROM (%s) TO (%s)', name, begins, ends);
    EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
        'FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', name || '_insert_only', name);
    RETURN true;
END $$
"""
"""Makes a month's partition; runs with its owner's rights, so that the service needs none of them."""
_KEPT = {
    "account": ("account_id, seq", None),
    "own": ("account_id, seq", "substr(event, 1, 9) = 'accounts.'"),
    "actor": ("actor_id, seq", None),
    "provider": ("provider_id, seq", None),
    "event": ("event, seq", None),
    "at": ("at, seq", None),
    "decision_id": ("decision_id", None),
}
"""The indexes there were, which a partitioned table needs anew."""
_MONTHS_AHEAD = 3


def _indexes() -> None:
    for name in _BY:
        op.execute(f"CREATE INDEX ix_audit_record_{name} ON audit_record ({name}, seq) WHERE {name} IS NOT NULL")
    op.execute("CREATE INDEX ix_audit_record_outcome ON audit_record (outcome, seq)")


def _rename_old() -> None:
    op.execute("DROP TRIGGER audit_record_unsealed ON audit_record")
    op.execute("DROP TRIGGER audit_record_insert_only ON audit_record")
    op.execute("ALTER TABLE audit_record RENAME TO audit_record_whole")
    op.execute("ALTER TABLE audit_record_whole RENAME CONSTRAINT pk_audit_record TO pk_audit_record_whole")
    for name in _KEPT:
        op.execute(f"DROP INDEX ix_audit_record_{name}")


def _take_over() -> None:
    """Copy the records into their months and go on numbering where the old table was."""
    op.execute("INSERT INTO audit_record SELECT * FROM audit_record_whole")
    op.execute("ALTER SEQUENCE audit_record_seq_seq OWNED BY NONE")
    op.execute("DROP TABLE audit_record_whole")
    op.execute("ALTER SEQUENCE audit_record_seq_seq OWNED BY audit_record.seq")
    for name, (columns, where) in _KEPT.items():
        suffix = f" WHERE {where}" if where else ""
        op.execute(f"CREATE INDEX ix_audit_record_{name} ON audit_record ({columns}){suffix}")


def _guard() -> None:
    """Insert-only, on every month too, and every insert on the waiting list with its moment."""
    op.execute(
        "CREATE OR REPLACE FUNCTION note_unsealed() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO audit_unsealed (seq, at) SELECT seq, at FROM added; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_record_unsealed AFTER INSERT ON audit_record REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION note_unsealed()"
    )
    op.execute(
        "CREATE TRIGGER audit_record_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_record "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _postgres() -> None:
    op.execute("ALTER TABLE audit_unsealed ADD COLUMN at BIGINT")
    op.execute("UPDATE audit_unsealed u SET at = r.at FROM audit_record r WHERE r.seq = u.seq")
    _rename_old()
    op.execute(
        "CREATE TABLE audit_record (LIKE audit_record_whole INCLUDING DEFAULTS, "
        "CONSTRAINT pk_audit_record PRIMARY KEY (seq, at)) PARTITION BY RANGE (at)"
    )
    op.execute("CREATE TABLE audit_record_rest PARTITION OF audit_record DEFAULT")
    op.execute(
        "CREATE TRIGGER audit_record_rest_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_record_rest "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
    op.execute(_MONTH)
    op.execute(
        "SELECT audit_record_month(m) FROM generate_series("
        "date_trunc('month', COALESCE((SELECT to_timestamp(min(at) / 1000000.0) FROM audit_record_whole), now()) "
        "AT TIME ZONE 'UTC'), "
        f"date_trunc('month', now() AT TIME ZONE 'UTC') + interval '{_MONTHS_AHEAD} months', interval '1 month') AS m"
    )
    _take_over()
    _guard()


def _sqlite() -> None:
    op.execute("ALTER TABLE audit_unsealed ADD COLUMN at BIGINT")
    op.execute("UPDATE audit_unsealed SET at = (SELECT at FROM audit_record r WHERE r.seq = audit_unsealed.seq)")
    op.execute("DROP TRIGGER audit_record_unsealed")
    op.execute(
        "CREATE TRIGGER audit_record_unsealed AFTER INSERT ON audit_record "
        "BEGIN INSERT INTO audit_unsealed (seq, at) VALUES (NEW.seq, NEW.at); END"
    )


def _tables() -> None:
    op.create_table(
        "audit_pruned",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("first_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("low_seq", sa.BigInteger(), nullable=False),
        sa.Column("high_seq", sa.BigInteger(), nullable=False),
        sa.Column("nodes", sa.LargeBinary(), nullable=False),
        sa.Column("gone", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("first_index", name=op.f("pk_audit_pruned")),
    )
    op.create_table(
        "audit_hold",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=True),
        sa.Column("provider_id", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("placed_by", sa.String(), nullable=False),
        sa.Column("lifted_at", sa.BigInteger(), nullable=True),
        sa.Column("lifted_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_hold")),
    )
    op.create_table(
        "saved_search",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("filters", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_search")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_saved_search_account_id_name")),
    )
    op.create_table(
        "desk_digest",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_desk_digest")),
    )


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgres()
    _indexes()
    _tables()


def downgrade() -> None:
    for table in ("desk_digest", "saved_search", "audit_hold", "audit_pruned"):
        op.drop_table(table)
    for name in (*_BY, "outcome"):
        op.execute(f"DROP INDEX ix_audit_record_{name}")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER audit_record_unsealed")
        op.execute(
            "CREATE TRIGGER audit_record_unsealed AFTER INSERT ON audit_record "
            "BEGIN INSERT INTO audit_unsealed (seq) VALUES (NEW.seq); END"
        )
    else:
        _whole_again()
    op.drop_column("audit_unsealed", "at")


def _whole_again() -> None:
    op.execute("DROP TRIGGER audit_record_unsealed ON audit_record")
    op.execute("ALTER TABLE audit_record RENAME TO audit_record_parted")
    op.execute("ALTER TABLE audit_record_parted RENAME CONSTRAINT pk_audit_record TO pk_audit_record_parted")
    for name in _KEPT:
        op.execute(f"DROP INDEX ix_audit_record_{name}")
    op.execute(
        "CREATE TABLE audit_record (LIKE audit_record_parted INCLUDING DEFAULTS, "
        "CONSTRAINT pk_audit_record PRIMARY KEY (seq))"
    )
    op.execute("INSERT INTO audit_record SELECT * FROM audit_record_parted")
    op.execute("ALTER SEQUENCE audit_record_seq_seq OWNED BY NONE")
    op.execute("DROP TABLE audit_record_parted")
    op.execute("DROP FUNCTION audit_record_month(timestamp)")
    op.execute("ALTER SEQUENCE audit_record_seq_seq OWNED BY audit_record.seq")
    for name, (columns, where) in _KEPT.items():
        suffix = f" WHERE {where}" if where else ""
        op.execute(f"CREATE INDEX ix_audit_record_{name} ON audit_record ({columns}){suffix}")
    op.execute(
        "CREATE OR REPLACE FUNCTION note_unsealed() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO audit_unsealed (seq) SELECT seq FROM added; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_record_unsealed AFTER INSERT ON audit_record REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION note_unsealed()"
    )
    op.execute(
        "CREATE TRIGGER audit_record_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_record "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
