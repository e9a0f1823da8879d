"""organisations: NPIs, places, continuity of care, what registries say, verification and warnings, import runs

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_BASIS = "basis IN ('contract','continuity')"
_OLD = "kind IN ('licence','credentialing','dea','board','malpractice')"
_NEW = "kind IN ('licence','credentialing','dea','board','malpractice','education','residency')"
_COLUMNS = (
    ("provider", sa.Column("source", sa.String(), nullable=False, server_default="operator")),
    ("practitioner", sa.Column("registry_facts", sa.Text(), nullable=True)),
    ("practitioner", sa.Column("registry_date", sa.String(), nullable=False, server_default="")),
    ("practitioner", sa.Column("deactivated_at", sa.BigInteger(), nullable=True)),
    ("practitioner", sa.Column("lapse_handled_at", sa.BigInteger(), nullable=True)),
    ("credential", sa.Column("verified_at", sa.BigInteger(), nullable=True)),
    ("credential", sa.Column("warned", sa.Integer(), nullable=False, server_default="0")),
    ("credential", sa.Column("lapse_handled_at", sa.BigInteger(), nullable=True)),
    ("portal_access", sa.Column("basis", sa.String(), nullable=False, server_default="contract")),
    ("portal_access", sa.Column("reference", sa.String(), nullable=False, server_default="")),
    ("agreement", sa.Column("basis", sa.String(), nullable=False, server_default="contract")),
)


_ANEW = ("credential", "portal_access", "agreement")
"""Written anew on SQLite for their checks; nothing refers to them, as much does to providers and practitioners."""


def upgrade() -> None:
    for table, column in _COLUMNS:
        op.add_column(table, column)
    for table in _ANEW:
        with op.batch_alter_table(table) as batch:
            for at, column in _COLUMNS:
                if at == table and column.server_default is not None:
                    batch.alter_column(column.name, server_default=None)
            if table == "credential":
                batch.drop_constraint(op.f("ck_credential_kind"), type_="check")
                batch.create_check_constraint(op.f("ck_credential_kind"), _NEW)
            if table in ("portal_access", "agreement"):
                batch.create_check_constraint(op.f(f"ck_{table}_basis"), _BASIS)
    op.create_index("ix_credential_ends_at", "credential", ["ends_at"])
    op.create_table(
        "provider_npi",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("npi", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("registry_facts", sa.Text(), nullable=True),
        sa.Column("registry_date", sa.String(), nullable=False),
        sa.Column("deactivated_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name="fk_provider_npi_provider_id"),
        sa.PrimaryKeyConstraint("id", name="pk_provider_npi"),
        sa.UniqueConstraint("npi", name="uq_provider_npi_npi"),
    )
    op.create_index("ix_provider_npi_provider_id", "provider_npi", ["provider_id"])
    words = ("name", "line1", "line2", "city", "state", "postal_code", "country", "phone", "source")
    op.create_table(
        "provider_location",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("npi", sa.String(), nullable=True),
        *(sa.Column(name, sa.String(), nullable=False) for name in words),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("source IN ('operator','registry')", name=op.f("ck_provider_location_source")),
        sa.ForeignKeyConstraint(["provider_id"], ["provider.id"], name="fk_provider_location_provider_id"),
        sa.PrimaryKeyConstraint("id", name="pk_provider_location"),
    )
    op.create_index("ix_provider_location_provider_id", "provider_location", ["provider_id"])
    op.create_index("uq_provider_location_npi", "provider_location", ["npi"], unique=True)
    op.create_table(
        "import_run",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("file_digest", sa.String(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("errors_position", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_import_run"),
    )
    op.create_index("ix_import_run_file_digest", "import_run", ["file_digest"])


def downgrade() -> None:
    for table in ("import_run", "provider_location", "provider_npi"):
        op.drop_table(table)
    op.drop_index("ix_credential_ends_at", "credential")
    op.execute("DELETE FROM credential WHERE kind IN ('education','residency')")
    for table in _ANEW:
        with op.batch_alter_table(table) as batch:
            if table == "credential":
                batch.drop_constraint(op.f("ck_credential_kind"), type_="check")
                batch.create_check_constraint(op.f("ck_credential_kind"), _OLD)
            if table in ("portal_access", "agreement"):
                batch.drop_constraint(op.f(f"ck_{table}_basis"), type_="check")
    for table, column in reversed(_COLUMNS):
        op.drop_column(table, column.name)
