"""What the service's own database role may do: add records, and change or remove none (security.md 74)."""

from sqlalchemy import text

from idp.database import Database, transaction
from idp.errors import Invalid

_KEPT = ("audit_record", "audit_batch", "audit_checkpoint", "audit_pruned")
_MONTHS = text(
    "SELECT quote_ident(c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = to_regclass('audit_record')"
)
_ROLE = text("SELECT quote_ident(rolname) FROM pg_roles WHERE rolname = :role")


def give(database: Database, role: str) -> None:
    """Give a role the rights the service needs; raise Invalid for one that does not exist, and on SQLite."""
    if database.is_sqlite:
        raise Invalid("SQLite knows no roles: whoever may write the file may write everything in it.")
    with transaction(database) as session:
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
