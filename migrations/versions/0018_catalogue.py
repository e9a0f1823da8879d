"""versions of functions and jobs, duties as data, functions kept from a practice, answers of the JSON API

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_LIVE = sa.text("ended_at IS NULL")
_WAITS = sa.text("applied_at IS NULL AND withdrawn_at IS NULL")


def _text(*names: str) -> list[sa.Column]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]


def _moment(*names: str, nullable: bool = True) -> list[sa.Column]:
    return [sa.Column(name, sa.BigInteger(), nullable=nullable) for name in names]


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*(columns or ("id",)), name=op.f(f"pk_{table}"))


def _refers(table: str, column: str, target: str, key: str = "id") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.{key}"], name=op.f(f"fk_{table}_{column}_{target}"))


def upgrade() -> None:
    op.create_table(
        "duty_conflict",
        *_moment("created_at", nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        *_text("first", "second", "why", "added_by"),
        *_moment("ended_at"),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.CheckConstraint("first < second", name=op.f("ck_duty_conflict_order")),
        _refers("duty_conflict", "first", "entitlement", "key"),
        _refers("duty_conflict", "second", "entitlement", "key"),
        _key("duty_conflict"),
    )
    op.create_index(
        "uq_duty_conflict_live",
        "duty_conflict",
        ["first", "second"],
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
    op.create_table(
        "duty_exception",
        *_moment("created_at", nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        *_text("conflict_id", "account_id", "provider_id", "line", "reason"),
        *_moment("ends_at", nullable=False),
        *_text("asked_by"),
        sa.Column("confirmed_by", sa.String(), nullable=True),
        *_moment("confirmed_at", "ended_at"),
        sa.Column("ended_by", sa.String(), nullable=True),
        _refers("duty_exception", "conflict_id", "duty_conflict"),
        _refers("duty_exception", "account_id", "account"),
        _refers("duty_exception", "provider_id", "provider"),
        _key("duty_exception"),
    )
    op.create_index("ix_duty_exception_person", "duty_exception", ["account_id", "provider_id", "line"])
    op.create_table(
        "withheld_function",
        *_moment("created_at", nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        *_text("provider_id", "line", "entitlement", "reason", "withheld_by"),
        *_moment("starts_at", nullable=False),
        *_moment("ended_at"),
        sa.Column("ended_by", sa.String(), nullable=True),
        sa.CheckConstraint(
            "line IN ('medical','behavioural','dental','medicare_advantage')", name=op.f("ck_withheld_function_line")
        ),
        _refers("withheld_function", "provider_id", "provider"),
        _refers("withheld_function", "entitlement", "entitlement", "key"),
        _key("withheld_function"),
    )
    op.create_index("ix_withheld_function_place", "withheld_function", ["provider_id", "line"])
    op.create_table(
        "catalogue_change",
        *_moment("created_at", nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        *_text("entitlement"),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=False),
        *_text("reason", "published_by"),
        *_moment("effective_at", nullable=False),
        *_moment("applied_at", "withdrawn_at"),
        _refers("catalogue_change", "entitlement", "entitlement", "key"),
        _key("catalogue_change"),
    )
    op.create_index("uq_catalogue_change_version", "catalogue_change", ["entitlement", "version"], unique=True)
    op.create_index(
        "uq_catalogue_change_waits",
        "catalogue_change",
        ["entitlement"],
        unique=True,
        sqlite_where=_WAITS,
        postgresql_where=_WAITS,
    )
    op.add_column("bundle", sa.Column("effective_at", sa.BigInteger(), nullable=True))
    op.add_column("bundle", sa.Column("published_by", sa.String(), nullable=False, server_default="system"))
    op.add_column("bundle", sa.Column("reason", sa.String(), nullable=False, server_default=""))
    op.add_column("bundle", sa.Column("withdrawn_at", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("bundle") as table:
        table.alter_column("published_by", server_default=None)
        table.alter_column("reason", server_default=None)
    op.create_index(
        "ix_assignment_bundle", "assignment", ["bundle", "version"], sqlite_where=_LIVE, postgresql_where=_LIVE
    )
    op.create_table(
        "api_answer",
        *_moment("created_at", nullable=False),
        *_text("made_by", "key", "digest"),
        sa.Column("status", sa.Integer(), nullable=False),
        *_text("body"),
        *_moment("expires_at", nullable=False),
        _key("api_answer", "made_by", "key"),
    )
    op.create_index(op.f("ix_api_answer_expires_at"), "api_answer", ["expires_at"])
