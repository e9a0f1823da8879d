"""What the service's own database role may do: add records, and change or remove none (security.md 74)."""

from sqlalchemy import text
from sqlmodel import Session

from idp.database import Database, of, transaction
from idp.errors import Invalid, Refused

_KEPT = ("audit_record", "audit_batch", "audit_checkpoint", "audit_pruned")
_MONTHS = text(
    "SELECT quote_ident(c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = to_regclass('audit_record')"
)
_LACKING = text(
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public' "
    "WHERE c.relkind IN ('r', 'p', 'S') AND NOT c.relispartition AND NOT CASE WHEN c.relkind = 'S' "
    "THEN has_sequence_privilege(c.oid, 'USAGE') ELSE has_table_privilege(c.oid, 'SELECT') END ORDER BY 1"
)
_CHANGED = text(
    "SELECT c.relname FROM pg_class c WHERE (c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = "
    "to_regclass('audit_record')) OR c.relname IN ('audit_record', 'audit_batch', 'audit_checkpoint', 'audit_pruned') "
    "AND c.relkind IN ('r', 'p')) AND has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE') ORDER BY 1"
)
_OWNS = text(
    "SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass('audit_record')"
)
_ROLE = text("SELECT quote_ident(rolname) FROM pg_roles WHERE rolname = :role")


def lacking(session: Session) -> list[str]:
    """Name the tables and sequences that this connection's role may not use at all: made after rights were given."""
    return list(session.execute(_LACKING).scalars())


def open_to_change(session: Session) -> list[str]:
    """Name the tables of the log of which this connection's role could change or remove a row."""
    return list(session.execute(_CHANGED).scalars())


def need_owner(session: Session, what: str) -> None:
    """Raise Refused where this connection's role does not own the log's tables; on SQLite everybody does."""
    if not of(session).is_sqlite and not session.execute(_OWNS).scalar():
        raise Refused(f"{what} needs the role that owns the tables: the service's own may add records and change none.")


def give(database: Database, role: str) -> None:
    """Give a role the rights the service needs; raise Invalid for one that does not exist, and on SQLite."""
    if database.is_sqlite:
        raise Invalid("SQLite knows no roles: whoever may write the file may write everything in it.")
    with transaction(database) as session:
        need_owner(session, "Giving rights")  # from anybody else PostgreSQL takes it with a warning and gives nothing
        name = session.execute(_ROLE, {"role": role}).scalar()
        if name is None:
            raise Invalid(f"There is no role {role}: make it with CREATE ROLE first.")
        months = session.execute(_MONTHS).scalars().all()
        for statement in (
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}",
            f"REVOKE ALL ON {', '.join((*_KEPT, *months))} FROM {name}",
            f"GRANT SELECT, INSERT ON audit_record, audit_batch, audit_checkpoint TO {name}",
            f"GRANT SELECT ON audit_pruned TO {name}",
        ):
            session.execute(text(statement))
