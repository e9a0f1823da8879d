"""The traps of SQLModel and SQLAlchemy (stack.md 6): each red on the naive set-up, green on ours."""

import ast
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import sqlalchemy
from alembic.autogenerate import render_python_code
from alembic.operations import ops
from sqlalchemy import DateTime, Engine, MetaData, create_engine, literal, text
from sqlalchemy import Enum as NativeEnum
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, InvalidRequestError, OperationalError, StatementError
from sqlalchemy.orm import configure_mappers, registry
from sqlmodel import AutoString, Column, Field, Session, SQLModel, select

import idp
from idp.database import Database, transaction
from idp.entitlements.tables import Grant
from idp.tables import METADATA
from tests import engines

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOW = {"t": NOON}
HOME = Path(idp.__file__).parents[1]


class Kind(Enum):
    VIEW = "view"


def naive_models() -> Any:
    """Models as the tutorial writes them, apart from ours."""

    class Base(SQLModel, registry=registry()):
        metadata = MetaData()

    class NaiveGrant(Base, table=True):
        id: int | None = Field(default=None, primary_key=True)
        starts: datetime
        noted: datetime = Field(sa_type=DateTime(timezone=True))
        effect: Kind = Kind.VIEW
        used: int = 0

    return NaiveGrant


NAIVE = naive_models()


@pytest.fixture
def naive_engine(database: Database) -> Iterator[Engine]:
    """The tutorial's engine on a database of the same kind, as somebody who may make tables there."""
    url = make_url(engines.as_owner(database.settings.database_url))
    kind = {"database": f"{url.database}.naive"} if database.is_sqlite else {"drivername": "postgresql+psycopg"}
    made = create_engine(url.set(**kind))
    NAIVE.metadata.create_all(made)
    yield made
    made.dispose()


def grant(**change: Any) -> Grant:
    facts = {"account_id": "acc_x", "provider_id": "prv_x", "line_of_business": "medical", "entitlement": "x"}
    return Grant(**{**facts, "not_before": NOON, "granted_by": "x", "reason": "x", **change})


def test_a_row_is_not_checked_when_it_is_made_so_the_database_and_its_types_check_it(database: Database) -> None:
    NAIVE(starts="notint", effect="delete")  # red: two lies, no word
    with pytest.raises(StatementError, match="tzinfo"), transaction(database) as db:
        db.add(grant(not_before="notint"))
        db.flush()
    for lie in ({"effect": "maybe"}, {"expires_at": NOON}):
        with pytest.raises(IntegrityError, match="ck_grant_"), transaction(database) as db:
            db.add(grant(**lie))
            db.flush()


def test_a_module_of_tables_never_postpones_its_annotations() -> None:
    postponed = (
        "from __future__ import annotations\n"
        "from sqlmodel import Field, Relationship\n"
        "class Clinic(Base, table=True):\n"
        "    id: int = Field(primary_key=True)\n"
        "    people: list[Person] = Relationship(back_populates='clinic')\n"
        "class Person(Base, table=True):\n"
        "    id: int = Field(primary_key=True)\n"
        "    clinic_id: int = Field(foreign_key='clinic.id')\n"
        "    clinic: Clinic = Relationship(back_populates='people')\n"
    )
    mapped = registry()

    class Base(SQLModel, registry=mapped):
        metadata = MetaData()

    kept: dict[str, object] = {"Base": Base, "__name__": "naive_tables"}  # else its classes could be collected first
    with pytest.raises(InvalidRequestError, match="list\\[Person\\]"):  # red
        exec(postponed, kept)  # noqa: S102 - ours, above
        configure_mappers()
    mapped.dispose()

    modules = list(HOME.glob("idp/**/tables.py"))
    assert len(modules) > 10
    for module in modules:
        imported = [node.module for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.ImportFrom)]
        assert "__future__" not in imported, module


def test_every_constraint_has_a_name_a_migration_can_say() -> None:
    primary = NAIVE.__table__.primary_key
    NAIVE.metadata.naming_convention = {"pk": "pk_%(table_name)s"}
    assert primary.name is None  # red: set after the first model, it names nothing
    for table in METADATA.tables.values():
        for constraint in table.constraints:
            assert constraint.name or not list(constraint.columns), (table.name, constraint)


def test_a_moment_comes_back_as_it_went_on_both_databases(database: Database, naive_engine: Engine) -> None:
    with Session(naive_engine) as db:
        db.add(NAIVE(starts=NOON, noted=NOON))
        db.commit()
        starts, noted = db.exec(select(NAIVE.starts, NAIVE.noted)).one()
    assert (
        noted.utcoffset() is None
    ) is database.is_sqlite  # red: SQLAlchemy's own type, with its zone asked for, differs by database
    assert starts == NOON  # no longer a trap: a plain `datetime` of the locked SQLModel refuses naive, returns UTC
    with pytest.raises(StatementError, match="timezone"), Session(naive_engine) as db:
        db.add(NAIVE(starts=NOON.replace(tzinfo=None), noted=NOON))
        db.flush()

    ours = METADATA.tables["grant"].c.not_before
    with transaction(database) as db:
        assert db.scalar(select(literal(NOON, ours.type))) == NOON
        with pytest.raises(StatementError, match=r"naive|zone"):
            db.scalar(select(literal(NOON.replace(tzinfo=None), ours.type)))


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_strict_tables_cannot_come_from_the_same_models(database: Database, naive_engine: Engine) -> None:
    class Base(SQLModel, registry=registry()):
        metadata = MetaData()

    class Strict(Base, table=True):
        __table_args__ = {"sqlite_strict": True}  # noqa: RUF012
        id: int = Field(primary_key=True)
        name: str

    with pytest.raises(OperationalError, match="unknown datatype"):  # red: so the checks above stand instead
        Base.metadata.create_all(naive_engine)
    assert not any(table.dialect_options["sqlite"]["strict"] for table in METADATA.tables.values())
    assert sum("CheckConstraint" in repr(c) for t in METADATA.tables.values() for c in t.constraints) > 40


def _counted(engine: Engine, statement: str, rounds: int, *, database: Database | None = None) -> int:
    """Let four threads read a number and write one more, each `rounds` times; return what is left of it."""
    _select, column, _from, table = statement.split()

    def count() -> None:
        for _ in range(rounds):
            with Session(engine) if database is None else transaction(database) as db:
                seen = db.execute(text(statement)).scalar_one()
                if database is None:
                    begun.wait(5)
                db.execute(text(f"UPDATE {table} SET {column} = :n"), {"n": seen + 1})
                db.commit()

    begun = threading.Barrier(4)
    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        return int(connection.execute(text(statement)).scalar_one())


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_two_who_read_and_then_write_do_not_overwrite_each_other(database: Database, naive_engine: Engine) -> None:
    with naive_engine.begin() as connection:
        connection.execute(text("INSERT INTO naivegrant (starts, noted, effect, used) VALUES (0, 0, 'VIEW', 0)"))
    assert _counted(naive_engine, "SELECT used FROM naivegrant", 5) < 20  # red: no error, increments gone
    with transaction(database) as db:
        before = db.execute(text("SELECT epoch FROM policy_epoch")).scalar_one()
    assert _counted(database.engine, "SELECT epoch FROM policy_epoch", 5, database=database) == before + 20


def test_what_counts_once_is_spent_by_one_statement_not_looked_at_first(naive_engine: Engine) -> None:
    with naive_engine.begin() as connection:
        connection.execute(text("INSERT INTO naivegrant (starts, noted, effect, used) VALUES (:t, :t, 'VIEW', 0)"), NOW)
    look, spend = text("SELECT used FROM naivegrant"), text("UPDATE naivegrant SET used = 1")
    with naive_engine.connect() as one, naive_engine.connect() as other:
        seen = [connection.execute(look).scalar_one() for connection in (one, other)]
        one.execute(spend)
        one.commit()
        other.execute(spend)
        other.commit()
    assert seen == [0, 0]  # red: both found it unspent, both spent it
    with naive_engine.begin() as connection:
        connection.execute(text("UPDATE naivegrant SET used = 0"))
    ours = text("UPDATE naivegrant SET used = 1 WHERE used = 0")
    spent = []
    for _ in range(2):
        with naive_engine.begin() as connection:
            spent.append(connection.execute(ours).rowcount)
    assert spent == [1, 0]


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_a_choice_of_words_is_text_with_a_check_not_a_type_of_the_database(naive_engine: Engine) -> None:
    with naive_engine.connect() as connection:
        types = connection.execute(text("SELECT typname FROM pg_type WHERE typtype = 'e'")).scalars().all()
    assert types == [
        "kind"
    ]  # red: a type of its own, which no autogenerated migration changes later; and ours made none
    for table in METADATA.tables.values():
        assert not any(isinstance(column.type, NativeEnum) for column in table.columns), table.name


def test_a_migration_knows_the_types_it_names() -> None:
    added = ops.AddColumnOp("grant", Column("note", AutoString()))
    said = render_python_code(ops.UpgradeOps(ops=[added]))
    said = said.replace("    op.", "op.")
    with pytest.raises(NameError, match="sqlmodel"):  # red: the stock template imports sqlalchemy alone
        exec(said, {"op": Mock(), "sa": sqlalchemy})  # noqa: S102 - what is above
    assert "\nimport sqlmodel\n" in (HOME / "migrations" / "script.py.mako").read_text()
