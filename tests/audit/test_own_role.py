"""The service runs as a role that adds records and changes none: what it does works, what it must not is refused.

Every test on PostgreSQL runs its service as that role (tests/engines.py), the main job against real processes too
(tests/live/test_story.py); here is what only the owner of the tables may do, and that the operator is told.
"""

import pytest
from sqlalchemy import text

from idp.audit import retention, rights
from idp.cli import doctor
from idp.database import Database, reading, transaction
from idp.errors import Refused
from idp.jobs.runner import JOBS, named
from tests import engines

pytestmark = pytest.mark.parametrize("engine", ["postgres"], indirect=True)  # SQLite knows no roles


def _role(database: Database) -> str:
    with reading(database) as db:
        return str(db.execute(text("SELECT current_user")).scalar_one())


def test_security_74_every_job_works_as_the_role_that_changes_no_record(database: Database) -> None:
    assert _role(database) == engines.SERVICE
    for _, _, work in JOBS:
        named(work)(database)


def test_security_74_what_needs_the_owner_says_so_and_does_nothing(database: Database) -> None:
    for act in (lambda: retention.prune(database), lambda: rights.give(database, engines.SERVICE)):
        with pytest.raises(Refused, match="needs the role that owns the tables"):
            act()
    with engines.owned(database) as owner:
        assert retention.prune(owner).records == 0
        rights.give(owner, engines.SERVICE)  # as after each migration


def test_security_74_the_doctor_tells_a_role_that_may_too_much_or_too_little(database: Database) -> None:
    production = database.settings.model_copy(update={"development": False})
    as_role = Database(production)
    as_owner = Database(production.model_copy(update={"database_url": engines.as_owner(production.database_url)}))

    def said(by: Database) -> list[str]:
        with reading(by) as db:
            return [finding.text() for finding in doctor._rights(db, by)]

    try:
        assert said(as_role) == []
        assert "may change records of the log" in "".join(said(as_owner))
        with transaction(as_owner) as db:  # as a migration would
            db.execute(text("CREATE TABLE made_later (id bigserial)"))
        [finding] = said(as_role)
        assert "may not use made_later, made_later_id_seq" in finding
        assert "idp audit rights ROLE" in finding
        rights.give(as_owner, engines.SERVICE)
        assert said(as_role) == []
    finally:
        as_role.dispose()
        as_owner.dispose()
