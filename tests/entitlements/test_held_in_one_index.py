"""What a decision reads of a person's grants, terms and attestations stands in one index each (docs/performance.md)."""

import pytest

from idp.database import Database
from idp.entitlements.standing import PERSON

COVERED = ("grant", "terms_acceptance", "attestation")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_person_s_grants_terms_and_word_are_read_from_indexes_alone(database: Database) -> None:
    with database.engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {PERSON.sqlite}", ("acc", "prv", "medical")).all()
    steps = [row[3] for row in plan]
    for table in COVERED:
        assert any(step.startswith(f"SEARCH {table} USING COVERING INDEX") for step in steps), (table, steps)
    assert not any(step.startswith("SCAN") for step in steps), steps
