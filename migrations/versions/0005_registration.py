"""registration, applications, first-manager claims; terms that are never edited; reminders of attestations

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _dated(name: str, *, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.String(), nullable=nullable)


def _wished() -> list[sa.Column]:
    return [
        _text("line"),
        _text("capacity"),
        _text("bundle", nullable=True),
        _text("npi", nullable=True),
        _text("licence_state", nullable=True),
        _text("licence_number", nullable=True),
        _dated("licence_until"),
    ]


def _tables() -> None:
    op.create_table(
        "registration",
        _dated("created_at", nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=False),
        _text("status"),
        _text("route"),
        _text("flow_id", nullable=True),
        _text("client_id", nullable=True),
        _text("upstream_id", nullable=True),
        _text("partner_id", nullable=True),
        _text("account_id", nullable=True),
        sa.Column("steps", sa.Text(), nullable=False),
        sa.Column("tins", sa.LargeBinary(), nullable=True),
        _text("given_name"),
        _text("family_name"),
        _text("email"),
        *_wished(),
        _dated("starts_at"),
        _dated("ends_at"),
        sa.Column("code_hash", sa.LargeBinary(), nullable=True),
        sa.Column("code_tries", sa.Integer(), nullable=False),
        _dated("code_until"),
        _dated("expires_at", nullable=False),
        sa.CheckConstraint(
            "status IN ('started','applied','verified','submitted','ended')", name="ck_registration_status"
        ),
        sa.CheckConstraint("route IN ('new','existing','affiliate','third_party')", name="ck_registration_route"),
        sa.PrimaryKeyConstraint("id", name="pk_registration"),
    )
    op.create_index("ix_registration_account_id", "registration", ["account_id"])
    op.create_index("ix_registration_expires_at", "registration", ["expires_at"])
    op.create_table(
        "application",
        _dated("created_at", nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("tin_hash", sa.LargeBinary(), nullable=False),
        sa.Column("tin_encrypted", sa.LargeBinary(), nullable=False),
        _text("tin_last4"),
        *_wished(),
        _dated("starts_at", nullable=False),
        _dated("ends_at"),
        _text("route"),
        _text("upstream_id", nullable=True),
        _text("partner_id", nullable=True),
        _text("client_id", nullable=True),
        _text("status"),
        _dated("decided_at"),
        _text("decided_by", nullable=True),
        _text("reason"),
        sa.Column("reminded", sa.Integer(), nullable=False),
        _dated("expires_at", nullable=False),
        sa.CheckConstraint(
            "status IN ('submitted','approved','denied','withdrawn','expired')", name="ck_application_status"
        ),
        sa.CheckConstraint("capacity IN ('employee','representative','agent')", name="ck_application_capacity"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_application_account_id_account"),
        sa.PrimaryKeyConstraint("id", name="pk_application"),
    )
    waiting = sa.text("status = 'submitted'")
    op.create_index(
        "uq_application_waiting",
        "application",
        ["account_id", "tin_hash"],
        unique=True,
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_index("ix_application_inbox", "application", ["tin_hash", "status"])
    op.create_index("ix_application_due", "application", ["expires_at"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_table(
        "first_manager_claim",
        _dated("created_at", nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("application_id", sa.String(40), nullable=False),
        sa.Column("account_id", sa.String(40), nullable=False),
        sa.Column("tin_hash", sa.LargeBinary(), nullable=False),
        _text("line"),
        _text("status"),
        sa.Column("tries", sa.Integer(), nullable=False),
        _text("proof", nullable=True),
        _dated("proven_at"),
        _dated("locked_at"),
        sa.CheckConstraint(
            "status IN ('open','proven','confirmed','locked','refused','ended')", name="ck_first_manager_claim_status"
        ),
        sa.ForeignKeyConstraint(["application_id"], ["application.id"], name="fk_first_manager_claim_application_id"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_first_manager_claim_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_first_manager_claim"),
    )
    under_way = sa.text("status IN ('open','proven')")
    op.create_index(
        "uq_first_manager_claim_under_way",
        "first_manager_claim",
        ["tin_hash", "line"],
        unique=True,
        sqlite_where=under_way,
        postgresql_where=under_way,
    )
    op.create_index("ix_first_manager_claim_account_id", "first_manager_claim", ["account_id"])


def _never_edited() -> None:
    """Published terms stay as they were accepted (T-01)."""
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER terms_document_no_{act.lower()} BEFORE {act} ON terms_document "
                "BEGIN SELECT RAISE(ABORT, 'terms_document is insert-only'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER terms_document_insert_only BEFORE UPDATE OR DELETE ON terms_document "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def upgrade() -> None:
    _tables()
    op.add_column("terms_document", sa.Column("changes", sa.String(), nullable=False, server_default=""))
    op.add_column("attestation", sa.Column("reminded", sa.Integer(), nullable=False, server_default="0"))
    _never_edited()


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for act in ("update", "delete"):
            op.execute(f"DROP TRIGGER terms_document_no_{act}")
    else:
        op.execute("DROP TRIGGER terms_document_insert_only ON terms_document")
    op.drop_column("attestation", "reminded")
    op.drop_column("terms_document", "changes")
    for table in ("first_manager_claim", "application", "registration"):
        op.drop_table(table)
