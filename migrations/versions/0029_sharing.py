"""what the detector of shared logins has read, remembers and scored

Revision ID: 0029
Revises: 0028
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sharing_place",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("leaf", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sharing_place")),
    )
    op.create_table(
        "sharing_memory",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("touched_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", name=op.f("pk_sharing_memory")),
    )
    op.create_index("ix_sharing_memory_touched", "sharing_memory", ["touched_at"])
    op.create_table(
        "sharing_score",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("log_odds", sa.Float(), nullable=False),
        sa.Column("band", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "what", name=op.f("pk_sharing_score")),
    )
    op.create_index("ix_sharing_score_highest", "sharing_score", ["what", "log_odds"])
    op.create_table(
        "sharing_day",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.Column("log_odds", sa.Float(), nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "what", "day", name=op.f("pk_sharing_day")),
    )


def downgrade() -> None:
    for table in ("sharing_day", "sharing_score", "sharing_memory", "sharing_place"):
        op.drop_table(table)
