"""guards: an insert-only log, grants that end once, the counters' single rows

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Tables of the log to which rows are only ever added.
_INSERT_ONLY = ("audit_record", "audit_batch", "audit_checkpoint")
_FIXED = (
    "id",
    "account_id",
    "provider_id",
    "line_of_business",
    "entitlement",
    "effect",
    "not_before",
    "expires_at",
    "granted_by",
    "reason",
    "assignment_id",
    "delegation_id",
)


def _sqlite() -> None:
    for table in _INSERT_ONLY:
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is insert-only'); END"
            )
    op.execute(
        "CREATE TRIGGER audit_record_unsealed AFTER INSERT ON audit_record "
        "BEGIN INSERT INTO audit_unsealed (seq) VALUES (NEW.seq); END"
    )
    changed = " OR ".join(f'OLD."{c}" IS NOT NEW."{c}"' for c in _FIXED)
    op.execute(
        f'CREATE TRIGGER grant_ends_once BEFORE UPDATE ON "grant" WHEN OLD.ended_at IS NOT NULL OR {changed} '
        "BEGIN SELECT RAISE(ABORT, 'a grant is never edited: it is ended once and replaced'); END"
    )
    op.execute(
        'CREATE TRIGGER grant_never_deleted BEFORE DELETE ON "grant" '
        "BEGIN SELECT RAISE(ABORT, 'a grant is never deleted'); END"
    )


def _postgres() -> None:
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is insert-only', TG_TABLE_NAME; END $$"
    )
    for table in _INSERT_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
    op.execute(
        "CREATE FUNCTION note_unsealed() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO audit_unsealed (seq) SELECT seq FROM added; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_record_unsealed AFTER INSERT ON audit_record REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION note_unsealed()"
    )
    changed = " OR ".join(f'OLD."{c}" IS DISTINCT FROM NEW."{c}"' for c in _FIXED)
    op.execute(
        "CREATE FUNCTION grant_ends_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP = 'DELETE' THEN RAISE EXCEPTION 'a grant is never deleted'; END IF; "
        f"IF OLD.ended_at IS NOT NULL OR {changed} THEN "
        "RAISE EXCEPTION 'a grant is never edited: it is ended once and replaced'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        'CREATE TRIGGER grant_ends_once BEFORE UPDATE OR DELETE ON "grant" '
        "FOR EACH ROW EXECUTE FUNCTION grant_ends_once()"
    )


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _sqlite()
    else:
        _postgres()
    op.execute("INSERT INTO policy_epoch (id, epoch, created_at) VALUES (1, 1, 0)")
    op.execute("INSERT INTO revocation_counter (id, seq, created_at) VALUES (1, 0, 0)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for table in _INSERT_ONLY:
            for act in ("update", "delete"):
                op.execute(f"DROP TRIGGER {table}_no_{act}")
        for name in ("audit_record_unsealed", "grant_ends_once", "grant_never_deleted"):
            op.execute(f"DROP TRIGGER {name}")
    else:
        for table in _INSERT_ONLY:
            op.execute(f"DROP TRIGGER {table}_insert_only ON {table}")
        op.execute("DROP TRIGGER audit_record_unsealed ON audit_record")
        op.execute('DROP TRIGGER grant_ends_once ON "grant"')
        for name in ("refuse_change", "note_unsealed", "grant_ends_once"):
            op.execute(f"DROP FUNCTION {name}()")
    op.execute("DELETE FROM policy_epoch")
    op.execute("DELETE FROM revocation_counter")
