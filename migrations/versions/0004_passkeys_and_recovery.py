"""passkeys, spent challenges, recovery, remembered devices

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def _made() -> sa.Column:
    return sa.Column("created_at", sa.BigInteger(), nullable=False)


def _moment(name: str, nullable: bool = True) -> sa.Column:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def upgrade() -> None:
    op.add_column("known_device", _moment("factor_at"))
    op.create_table(
        "passkey",
        _made(),
        sa.Column("factor_id", sa.String(), nullable=False),
        sa.Column("credential_hash", sa.LargeBinary(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("user_verified", sa.Boolean(), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.Column("transports", sa.Text(), nullable=False),
        _moment("last_used_at"),
        sa.ForeignKeyConstraint(["factor_id"], ["factor.id"], name=op.f("fk_passkey_factor_id_factor")),
        sa.PrimaryKeyConstraint("factor_id", name=op.f("pk_passkey")),
        sa.UniqueConstraint("credential_hash", name=op.f("uq_passkey_credential_hash")),
    )
    op.create_table(
        "spent_challenge",
        _made(),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        _moment("expires_at", nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_spent_challenge")),
    )
    op.create_table(
        "recovery",
        _made(),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(), nullable=True),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        _moment("code_wanted_at"),
        sa.Column("code_hash", sa.LargeBinary(), nullable=True),
        _moment("code_expires_at"),
        _moment("code_proved_at"),
        _moment("saved_proved_at"),
        _moment("factor_proved_at"),
        _moment("manager_wanted_at"),
        sa.Column("stop_hash", sa.LargeBinary(), nullable=True),
        _moment("expires_at", nullable=False),
        _moment("finished_at"),
        _moment("stopped_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery")),
    )
    op.create_index(op.f("ix_recovery_account_id"), "recovery", ["account_id"])
    op.create_table(
        "vouching",
        _made(),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(), nullable=False),
        sa.Column("provider_id", sa.String(), nullable=False),
        sa.Column("vouched_by", sa.String(), nullable=False),
        _moment("usable_from", nullable=False),
        _moment("expires_at", nullable=False),
        _moment("spent_at"),
        _moment("ended_at"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_vouching_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vouching")),
    )
    op.create_index(op.f("ix_vouching_account_id"), "vouching", ["account_id"])
