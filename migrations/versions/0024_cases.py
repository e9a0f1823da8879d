"""cases of suspected misuse: the case, its insert-only file, questions, actions, appeal, label

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_CASE = "security_case.id"
_UNDER_WAY = sa.text("status IN ('question','new','investigating','waiting')")
_UNANSWERED = sa.text("answered_at IS NULL AND closed_at IS NULL")
_WAITING = sa.text("status = 'waiting'")
_UNDECIDED = sa.text("decided_at IS NULL")


def _moment(name: str, *, nullable: bool = True) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _words(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _of_case(table: str) -> sa.schema.SchemaItem:
    return sa.ForeignKeyConstraint(["case_id"], [_CASE], name=op.f(f"fk_{table}_case_id_security_case"))


def _where(condition: sa.TextClause) -> dict[str, sa.TextClause]:
    return {"sqlite_where": condition, "postgresql_where": condition}


def upgrade() -> None:
    op.create_table(
        "security_case",
        _moment("created_at", nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        _words("reference"),
        _words("kind"),
        _words("source"),
        _words("account_id", nullable=True),
        _words("status"),
        _words("band"),
        sa.Column("score", sa.Integer(), nullable=True),
        _words("opened_by"),
        _moment("triage_due_at"),
        _moment("triaged_at"),
        _words("worked_by", nullable=True),
        _moment("escalated_at"),
        _moment("contained_at"),
        sa.Column("entries", sa.Integer(), nullable=False),
        _words("head"),
        _words("decision", nullable=True),
        _words("cause", nullable=True),
        _moment("decided_at"),
        _words("decided_by", nullable=True),
        _moment("tell_due_at"),
        _moment("told_at"),
        _moment("closed_at"),
        sa.CheckConstraint("kind IN ('sharing','takeover','misuse')", name=op.f("ck_security_case_kind")),
        sa.CheckConstraint(
            "status IN ('question','new','investigating','waiting','decided','closed')",
            name=op.f("ck_security_case_status"),
        ),
        sa.CheckConstraint(
            "decision IN ('substantiated','compromised','innocent','inconclusive')",
            name=op.f("ck_security_case_decision"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_case")),
        sa.UniqueConstraint("reference", name=op.f("uq_security_case_reference")),
    )
    op.create_index(op.f("ix_security_case_account_id"), "security_case", ["account_id"])
    op.create_index("ix_security_case_queue", "security_case", ["status", "triage_due_at"])
    op.create_index("ix_security_case_decided", "security_case", ["decided_at"])
    op.create_index(
        "uq_security_case_under_way", "security_case", ["account_id", "kind"], unique=True, **_where(_UNDER_WAY)
    )
    op.create_table(
        "case_entry",
        _moment("created_at", nullable=False),
        _words("case_id"),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        _words("kind"),
        _moment("at", nullable=False),
        _words("by"),
        _words("owner"),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        _words("digest"),
        _of_case("case_entry"),
        sa.PrimaryKeyConstraint("case_id", "number", name=op.f("pk_case_entry")),
    )
    op.create_table(
        "case_question",
        _moment("created_at", nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        _words("case_id"),
        _words("audience"),
        _words("whom"),
        _words("owner"),
        sa.Column("shown", sa.LargeBinary(), nullable=True),
        _moment("due_at", nullable=False),
        _moment("answered_at"),
        _words("answered_by", nullable=True),
        _words("answer", nullable=True),
        _moment("closed_at"),
        sa.CheckConstraint("audience IN ('person','practice')", name=op.f("ck_case_question_audience")),
        _of_case("case_question"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_question")),
    )
    op.create_index(op.f("ix_case_question_case_id"), "case_question", ["case_id"])
    op.create_index("ix_case_question_whom", "case_question", ["whom", "created_at"])
    op.create_index("ix_case_question_due", "case_question", ["due_at"], **_where(_UNANSWERED))
    op.create_index("uq_case_question_live", "case_question", ["case_id", "whom"], unique=True, **_where(_UNANSWERED))
    op.create_table(
        "case_action",
        _moment("created_at", nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        _words("case_id"),
        _words("kind"),
        _words("target"),
        _words("status"),
        _words("asked_by"),
        _words("reason"),
        _words("interim_id", nullable=True),
        _moment("lapses_at"),
        _words("answered_by", nullable=True),
        _moment("done_at"),
        sa.CheckConstraint("status IN ('waiting','done','refused','lapsed')", name=op.f("ck_case_action_status")),
        _of_case("case_action"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_action")),
    )
    op.create_index(op.f("ix_case_action_case_id"), "case_action", ["case_id"])
    op.create_index(
        "uq_case_action_waiting", "case_action", ["case_id", "kind", "target"], unique=True, **_where(_WAITING)
    )
    op.create_table(
        "case_appeal",
        _moment("created_at", nullable=False),
        sa.Column("id", sa.String(40), nullable=False),
        _words("case_id"),
        _words("account_id"),
        _moment("due_at", nullable=False),
        _moment("decided_at"),
        _words("decided_by", nullable=True),
        _words("outcome", nullable=True),
        sa.CheckConstraint("outcome IN ('upheld','overturned')", name=op.f("ck_case_appeal_outcome")),
        _of_case("case_appeal"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_appeal")),
        sa.UniqueConstraint("case_id", name=op.f("uq_case_appeal_case_id")),
    )
    op.create_index(op.f("ix_case_appeal_account_id"), "case_appeal", ["account_id"])
    op.create_index("ix_case_appeal_due", "case_appeal", ["due_at"], **_where(_UNDECIDED))
    op.create_table(
        "case_label",
        _moment("created_at", nullable=False),
        _words("case_id"),
        _words("account_id"),
        _words("label"),
        _words("pattern"),
        _moment("begins", nullable=False),
        _moment("ends", nullable=False),
        sa.Column("lasting", sa.Boolean(), nullable=False),
        _words("labelled_by"),
        sa.CheckConstraint("label IN ('sharing','takeover','none')", name=op.f("ck_case_label_label")),
        _of_case("case_label"),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_label")),
    )
    op.create_index(op.f("ix_case_label_account_id"), "case_label", ["account_id"])
    op.add_column("security_report", _words("case_id", nullable=True))
    op.create_index("ix_security_report_case_id", "security_report", ["case_id"])
    _guard()


def _guard() -> None:
    """Let entries of a file be added only; `refuse_change` is of 0002."""
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER case_entry_no_{act.lower()} BEFORE {act} ON case_entry "
                "BEGIN SELECT RAISE(ABORT, 'case_entry is insert-only'); END"
            )
    else:
        op.execute(
            "CREATE TRIGGER case_entry_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON case_entry "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for act in ("update", "delete"):
            op.execute(f"DROP TRIGGER case_entry_no_{act}")
    else:
        op.execute("DROP TRIGGER case_entry_insert_only ON case_entry")
    op.drop_index("ix_security_report_case_id", "security_report")
    op.drop_column("security_report", "case_id")
    for table in ("case_label", "case_appeal", "case_action", "case_question", "case_entry", "security_case"):
        op.drop_table(table)
