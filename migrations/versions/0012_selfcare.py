"""selfcare: misuse reports, addresses to confirm, a person's own activity, revoked tokens in the feed, channels

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_OWN = sa.text("substr(event, 1, 9) = 'accounts.'")


def upgrade() -> None:
    op.create_table(
        "security_report",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("receipt", sa.String(), nullable=False),
        sa.Column("form_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reporter_id", sa.String(), nullable=True),
        sa.Column("about_id", sa.String(), nullable=True),
        sa.Column("about", sa.LargeBinary(), nullable=True),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("locked_at", sa.BigInteger(), nullable=True),
        sa.Column("unlocked_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.CheckConstraint("status IN ('open','closed')", name=op.f("ck_security_report_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_report")),
        sa.UniqueConstraint("receipt", name=op.f("uq_security_report_receipt")),
        sa.UniqueConstraint("form_id", name=op.f("uq_security_report_form_id")),
    )
    op.create_index("ix_security_report_about_id", "security_report", ["about_id"])
    op.create_index("ix_security_report_status", "security_report", ["status", "created_at"])
    op.create_table(
        "address_proof",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("spent_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_address_proof_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_proof")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_address_proof_token_hash")),
    )
    op.create_index("ix_address_proof_account_id", "address_proof", ["account_id"])
    op.create_index(
        "ix_audit_record_own", "audit_record", ["account_id", "seq"], sqlite_where=_OWN, postgresql_where=_OWN
    )
    op.add_column("revocation", sa.Column("token_id", sa.String(), nullable=True))
    op.add_column("provider", sa.Column("channels", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("provider", "channels")
    op.drop_column("revocation", "token_id")
    op.drop_index("ix_audit_record_own", "audit_record")
    op.drop_table("address_proof")
    op.drop_table("security_report")
