"""since when each policy version held, so that a past day's answer can name that day's

Revision ID: 0031
Revises: 0030
"""

import time

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "policy_version",
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", name=op.f("pk_policy_version")),
    )
    op.create_index("ix_policy_version_since", "policy_version", ["since", "epoch"])
    # A database where nothing was changed yet has had its first version always; of another, the past is not known.
    now = time.time_ns() // 1000
    op.execute(
        sa.text(
            "INSERT INTO policy_version (epoch, since, created_at) "
            "SELECT epoch, CASE WHEN epoch = 1 THEN 0 ELSE CAST(:now AS BIGINT) END, CAST(:now AS BIGINT) "
            "FROM policy_epoch"
        ).bindparams(now=now)
    )


def downgrade() -> None:
    op.drop_table("policy_version")
