"""how a first access manager proves who they are, and the insurer's word

Revision ID: 0020
Revises: 0019
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("first_manager_claim") as batch:
        for name in ("decided_by", "decided_at", "accepted_at"):
            kind = sa.String() if name == "decided_by" else sa.BigInteger()
            batch.add_column(sa.Column(name, kind, nullable=True))
        batch.add_column(sa.Column("reason", sa.String(), nullable=False, server_default=""))
    with op.batch_alter_table("first_manager_claim") as batch:
        batch.alter_column("reason", server_default=None)
    op.create_table(
        "proof_key",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("claim_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("letter", sa.LargeBinary(), nullable=True),
        sa.Column("handled_by", sa.String(), nullable=True),
        sa.Column("handled_at", sa.BigInteger(), nullable=True),
        sa.Column("spent_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('mailed_key','call_back')", name=op.f("ck_proof_key_kind")),
        sa.ForeignKeyConstraint(
            ["claim_id"], ["first_manager_claim.id"], name=op.f("fk_proof_key_claim_id_first_manager_claim")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proof_key")),
    )
    op.create_index(op.f("ix_proof_key_claim_id"), "proof_key", ["claim_id"])
    op.create_index(op.f("ix_proof_key_expires_at"), "proof_key", ["expires_at"])
    op.create_table(
        "practice_fact",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("fact_hash", sa.LargeBinary(), nullable=False),
        sa.Column("spent_at", sa.BigInteger(), nullable=True),
        sa.Column("spent_by", sa.String(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("fact_hash", name=op.f("pk_practice_fact")),
    )
    op.create_index(op.f("ix_practice_fact_expires_at"), "practice_fact", ["expires_at"])
