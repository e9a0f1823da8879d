"""Signing in costs with many people what it costs with few: every statement goes by key."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from bench import many
from idp import clock
from idp.accounts import attempts, devices, flows, plain_login, sessions
from idp.database.lane import Sql
from idp.federation import pending, plain, upstreams
from idp.oauth import arrival, codes
from idp.provisioning import people as provisioned
from tests.flows.test_ru3_sign_in_through_an_affiliate import through_evergreen
from tests.sign_in_world import World, link_ana, sign_in

PEOPLE = 300
SMALL = {"policy_epoch", "upstream", "partner", "terms_document", "setting", "e", "u", "d"}
"""What may be read whole: tables that do not grow with people."""
LANE = (attempts, devices, flows, plain_login, sessions, upstreams, pending, plain, provisioned, arrival, codes)


def statements() -> Iterator[tuple[str, Sql]]:
    """Every statement of the lane that a sign-in may use."""
    for module in LANE:
        for name, value in vars(module).items():
            if isinstance(value, Sql) and not value.sqlite.lstrip().startswith("INSERT"):
                yield f"{module.__name__}.{name}", value


def whole(world: World, statement: str, values: Any, *, prepared: int | None = None) -> list[str]:
    """The tables a statement would read whole."""
    if world.database.is_sqlite:
        with sqlite3.connect(str(world.database.url.database)) as connection:
            rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
        scans = [row[3].split()[1] for row in rows if row[3].startswith("SCAN ")]
        return [
            one for one in scans if one not in SMALL and one not in ("CONSTANT", "(subquery", "one_human")
        ]  # the last: rows found so far, no table
    url = world.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET enable_seqscan = off")  # a table of a test is small: is there a way by key?
        connection.execute("SET plan_cache_mode = force_generic_plan")
        if prepared is None:
            rows = connection.execute(f"EXPLAIN {statement}", values).fetchall()
        else:
            nothing = f"({', '.join(['NULL'] * prepared)})" if prepared else ""
            connection.execute(f"PREPARE one AS {statement}")
            rows = connection.execute(f"EXPLAIN EXECUTE one{nothing}").fetchall()
    scans = [row[0].split("Seq Scan on ")[1].split()[0].strip('"') for row in rows if "Seq Scan on " in row[0]]
    return [one for one in scans if one not in SMALL]


@pytest.fixture
def crowded(world: World) -> World:
    """The world of the sign-in pages, and a crowd."""
    many.fill(
        world.database.engine,
        PEOPLE,
        issuer=world.settings.issuer,
        upstream="ups_lakeside",
        now=clock.micros(clock.now()),
    )
    return world


def test_figure_signing_in_reads_by_key_however_many_people_there_are(crowded: World) -> None:
    world = crowded
    link_ana(world)
    asked: dict[str, Any] = {}

    def heard(_conn: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            asked.setdefault(statement, values)

    event.listen(world.database.engine, "before_cursor_execute", heard)
    browser = sign_in(world.browser())
    browser.get("/sign-in?next=/account&other=true")
    through_evergreen(world.browser())
    event.remove(world.database.engine, "before_cursor_execute", heard)
    assert len(asked) > 20
    found = {statement: whole(world, statement, values) for statement, values in asked.items()}
    lane = dict(statements())
    assert len(lane) > 10
    for name, sql in lane.items():
        count = max((n for n in range(1, 30) if f"${n}" in sql.postgres), default=0)
        text = sql.sqlite if world.database.is_sqlite else sql.postgres
        found[name] = whole(world, text, (None,) * count, prepared=count)
    wrong = {name: tables for name, tables in found.items() if tables}
    assert not wrong, "\n".join(f"{tables}: {name}" for name, tables in wrong.items())


def test_security_35_adding_a_login_finds_those_removed_before_by_who_they_were(crowded: World) -> None:
    world = crowded
    asked: list[tuple[str, Any]] = []

    def heard(_conn: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if "FROM login" in statement and "ended_at IS NOT NULL" in statement:
            asked.append((statement, values))

    event.listen(world.database.engine, "before_cursor_execute", heard)
    link_ana(world)
    event.remove(world.database.engine, "before_cursor_execute", heard)
    [(statement, values)] = asked
    plan = "EXPLAIN QUERY PLAN " if world.database.is_sqlite else "EXPLAIN "
    with world.database.engine.connect() as connection:
        rows = connection.exec_driver_sql(plan + statement, values).all()
    assert "ix_login_ended_identity" in str(rows)
