"""What a decision reads of a person's grants, terms and attestations stands in one index each (docs/performance.md)."""

import asyncio

import pytest
from sqlalchemy import text

from idp.audit import log
from idp.database import Database
from idp.database.lane import open_lane
from idp.entitlements.asking import Decider
from idp.entitlements.before import before
from idp.entitlements.standing import FIRST, PERSON, before_of

COVERED = ("grant", "terms_acceptance", "attestation")
ANA = ("acc_ana", "prv_lake", "medical")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_person_s_grants_terms_and_word_are_read_from_indexes_alone(database: Database) -> None:
    with database.engine.connect() as connection:
        for sql, asked in ((PERSON, ("acc", "prv", "medical")), (FIRST, ("acc", "prv", "medical", "ses"))):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql.sqlite}", asked).all()
            steps = [row[3] for row in plan]
            for table in COVERED:
                assert any(step.startswith(f"SEARCH {table} USING COVERING INDEX") for step in steps), (table, steps)
            assert not any(step.startswith("SCAN") for step in steps if step != "SCAN CONSTANT ROW"), steps


@pytest.mark.parametrize("sid", ["ses_ana", "ses_ended", "ses_nobody"])
def test_one_statement_reads_what_two_read(ana: Database, sid: str) -> None:
    """Of somebody nothing is known of: versions, session and standing are those the two statements give."""
    with ana.engine.begin() as writer:
        if sid == "ses_ana":
            writer.execute(text("UPDATE login SET held_at = 1700000000000000"))
        columns = "id, account_id, login_id, acr, amr, auth_time, channel, last_seen_at, created_at"
        writer.execute(
            text(
                f"INSERT INTO session ({columns}, token_hash, expires_at, ended_at, partner_id) "
                f"SELECT 'ses_ended', account_id, login_id, acr, amr, auth_time, channel, last_seen_at, created_at, "
                ":hash, expires_at, auth_time + 7, 'ptr_x' FROM session WHERE id = 'ses_ana'"
            ),
            {"hash": b"another"},
        )

    async def play() -> tuple[object, ...]:
        lane = await open_lane(ana, log.append)
        try:
            first = await lane.fetch(FIRST, *ANA, sid)
            known = await Decider(ana, lane).read(before(ANA[0], sid))
            return first, known, await lane.fetch(PERSON, *ANA)
        finally:
            await lane.close()

    first, known, person = asyncio.run(play())
    assert before_of(first) == known
    assert (known.session is None) == (sid == "ses_nobody")
    assert known.session is None or (known.session.login_shut is None) == (sid != "ses_ana")
    standing = [tuple(row) for row in first if row[0] not in ("versions", "session")]
    assert sorted(standing, key=str) == sorted(map(tuple, person), key=str)
    assert any(row[0] == "grant" for row in standing)
