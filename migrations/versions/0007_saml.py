"""saml: what a SAML upstream's record holds, and our keys for it

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "saml_trust",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("upstream_id", sa.String(), nullable=False),
        sa.Column("metadata_url", sa.String(), nullable=True),
        sa.Column("metadata_text", sa.String(), nullable=True),
        sa.Column("metadata_certificate", sa.String(), nullable=True),
        sa.Column("binding", sa.String(), nullable=False),
        sa.CheckConstraint("binding IN ('redirect','post')", name=op.f("ck_saml_trust_binding")),
        sa.ForeignKeyConstraint(["upstream_id"], ["upstream.id"], name="fk_saml_trust_upstream_id"),
        sa.PrimaryKeyConstraint("upstream_id", name="pk_saml_trust"),
    )
    op.create_table(
        "saml_key",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("upstream_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("private", sa.LargeBinary(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("state IN ('next','active','retiring')", name=op.f("ck_saml_key_state")),
        sa.ForeignKeyConstraint(["upstream_id"], ["upstream.id"], name="fk_saml_key_upstream_id"),
        sa.PrimaryKeyConstraint("id", name="pk_saml_key"),
    )
    op.create_index("ix_saml_key_upstream_id", "saml_key", ["upstream_id"])


def downgrade() -> None:
    op.drop_table("saml_key")
    op.drop_table("saml_trust")
