"""A past day's answer names the policy version of that day, and each change of what all decisions share is dated."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from idp import clock
from idp.database import Database, transaction
from idp.signals import epochs
from tests.decisions import world
from tests.entitlements.conftest import BASE, Caller, question
from tests.entitlements.test_authzen import _rows as rows_of

Run = Callable[[Callable[[Caller], Any]], Any]
NOON = BASE["now"]


def _changed(database: Database, hours: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change the policy so many hours from noon, twice in one transaction as a merge would."""
    monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(hours=hours))
    with transaction(database) as db:
        epochs.changed_policy(db)
        epochs.changed_policy(db)
    monkeypatch.setattr(clock, "now", lambda: NOON)


def test_se_6_a_past_day_s_answer_names_the_policy_version_of_that_day(
    run: Run, ana: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ana.engine.connect() as connection:
        first = connection.execute(text("SELECT epoch FROM policy_epoch")).scalar_one()
        kept = connection.execute(text("SELECT epoch, since FROM policy_version ORDER BY epoch")).all()
    assert kept[0] == (1, 0), "a new database has had its first version always"
    assert [row[0] for row in kept] == list(range(1, first + 1)), "each change was dated"
    with transaction(ana) as db:  # the world was made before the days asked about
        db.execute(text("UPDATE policy_version SET since = 1 WHERE epoch > 1"))
    _changed(ana, -30, monkeypatch)
    _changed(ana, -3, monkeypatch)

    async def play(app: Caller) -> list[Any]:
        headers = await app.token("access:search access:simulate")
        found: list[Any] = []
        for hours in (-48, -30, -4, -3, 24):
            at = clock.iso(NOON + timedelta(hours=hours))
            told = (await app.ask(headers, question(context={"at": at, "explain": True}))).json()["context"]
            plain = (await app.ask(headers, question(context={"at": at}))).json()["context"]
            assert plain["policy_version"] == told["policy_version"] == told["explanation"]["policy_version"]
            assert plain["freshness"].startswith(f"{first + 2}."), "freshness is what the answer was computed from"
            found.append(plain["policy_version"])
        day = clock.iso(NOON - timedelta(hours=48))[:10]
        body = question(context={"day": day})
        del body["subject"]
        who = (await app.ask(headers, body, "/access/v1/who")).json()
        found.append(who["results"][0]["periods"][0]["policy_version"])
        now = (await app.ask(headers, question(context={"assume_authenticated": True}))).json()["context"]
        assert "policy_version" not in now, "of now, freshness says it"
        return found

    assert run(play) == [first, first + 1, first + 1, first + 2, first + 2, first]
    replays = [row for row in rows_of(ana) if "at" in row["details"]]
    assert {row["details"]["policy_version"] for row in replays} == {first, first + 1, first + 2}


def test_se_6_a_day_before_versions_were_kept_says_so_and_names_none(run: Run, ana: Database) -> None:
    with transaction(ana) as db:
        db.execute(text("DELETE FROM policy_version"))
        db.execute(text("INSERT INTO policy_version (epoch, since, created_at) VALUES (7, :at, 0)"), {"at": 1})
        db.execute(text("UPDATE policy_version SET since = :at"), {"at": clock.micros(NOON - timedelta(hours=1))})

    async def play(app: Caller) -> Any:
        headers = await app.token("access:simulate")
        at = clock.iso(NOON - timedelta(hours=2))
        return (await app.ask(headers, question(context={"at": at, "explain": True}))).json()["context"]

    context = run(play)
    assert context["explanation"]["policy_version"] is None
    assert "policy_version" not in context


@pytest.mark.usefixtures("noon")
def test_se_6_a_change_that_was_undone_leaves_no_version(ana: Database) -> None:
    world.build(ana, {})
    with ana.engine.connect() as connection:
        before = connection.execute(text("SELECT count(*) FROM policy_version")).scalar_one()
    with pytest.raises(RuntimeError), transaction(ana) as db:
        epochs.changed_policy(db)
        raise RuntimeError
    with transaction(ana) as db:
        epochs.changed_policy(db)
    with ana.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM policy_version")).scalar_one() == before + 1
        newest = connection.execute(text("SELECT max(epoch) FROM policy_version")).scalar_one()
        assert newest == connection.execute(text("SELECT epoch FROM policy_epoch")).scalar_one()
