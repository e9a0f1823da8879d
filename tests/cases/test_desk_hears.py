"""What the desk sees of a case: what the login did and nobody else, new cases and answers, words where they count."""

from collections.abc import Iterator
from datetime import UTC, timedelta

import orjson
import pytest
from freezegun import freeze_time
from sqlalchemy import text
from sqlmodel import Session as Db
from starlette.testclient import TestClient

from idp import clock
from idp.accounts.tables import Factor
from idp.app import create_app
from idp.audit import log, origin
from idp.audit.events import Event
from idp.cases import opening, questions
from idp.cases.tables import SecurityCase
from idp.casework import desk, listing
from idp.database import reading, transaction
from idp.jobs import digest
from idp.notices.catalogue import TEMPLATES
from idp.settings import Settings
from idp.web.desk import case_evidence
from tests.cases.test_asking import ask, suspected
from tests.flows.managing import Managed
from tests.wam.world import World

CASES = "/security/cases"
pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def pages(world: World, settings: Settings) -> Iterator[Managed]:
    with TestClient(create_app(settings), base_url=settings.issuer) as client:
        yield Managed(world, settings, {settings.issuer: client})


def counted(world: World, reader: str) -> tuple[int, int, int, int]:
    with reading(world.database) as db:
        found = listing.at_desk(db, by=world.people[reader])
    return found.cases, found.new, found.answered, found.appeals


def mailed(world: World, template: str) -> set[str]:
    with reading(world.database) as db:
        found = db.execute(text("SELECT account_id FROM outbox WHERE template = :t"), {"t": template})
        return set(found.scalars())


def drawn(db: Db, case_id: str) -> list[tuple[str, str | None]]:
    found = case_evidence.drawn(db, db.get_one(SecurityCase, case_id), "device")
    return [(row.event, row.actor_id) for row in found["rows"]] if found else []


def test_se_2_only_what_the_login_did_is_drawn_and_not_what_others_did_about_the_person(world: World) -> None:
    ana, case_id = world.people["ana"], suspected(world)
    with transaction(world.database) as db:
        assert drawn(db, case_id) == [], "the service's own set-up is none of it"
        for who, event in (
            (ana, Event("accounts.login.succeeded", account=ana)),
            (world.sam, Event("notices.mail.written", account=ana)),
            (world.sam, Event("entitlements.grant.added", account=ana)),
            ("operator", Event("accounts.account.changed", account=ana)),
            (ana, Event("notices.mail.written", account=ana)),
            ("", Event("accounts.login.refused", account=ana, outcome="refused")),
        ):
            with origin.acting_as(who, session_id="ses_1", device_id="dev_of_whoever"):
                log.record(db, event)
    with reading(world.database) as db:
        assert sorted(drawn(db, case_id)) == sorted(
            [("accounts.login.succeeded", ana), ("accounts.login.refused", "")], key=str
        )


def test_se_2_the_desk_hears_of_new_cases_and_answers_on_the_list_at_home_and_by_mail(
    world: World, pages: Managed
) -> None:
    case_id = suspected(world)
    suspected(world, "finn")
    assert counted(world, "sue") == (2, 2, 0, 0)
    with transaction(world.database) as db:
        desk.take(db, case_id, by=world.sam)
    question = ask(world, case_id, world.lakeside)
    with transaction(world.database) as db:
        questions.answer(
            db, question, "practice", world.lakeside, by=world.people["wes"], choice="roles", said="Two jobs, two desks"
        )
    assert counted(world, "sue") == (2, 1, 1, 0)
    assert mailed(world, "case_answered") == {world.sam}, "at once, and to who works on it"
    sue = pages.as_("sue").get("/account")
    assert "2 cases at the security desk: 1 new, 1 with an answer" in sue.text
    sue.get(CASES)
    assert "An answer is in" in sue.text
    assert "New" in sue.text
    sue.get(f"{CASES}/{case_id}")
    answers = sue.text[sue.text.index("Questions and answers") : sue.text.index("What did you find?")]
    assert "Two jobs, two desks" in answers, "the words stand where the case is decided"
    assert "to the access managers of Lakeside Clinic" in sue.text
    assert "in their words: “Two jobs, two desks”" in sue.text
    with freeze_time((clock.now().astimezone(UTC) + timedelta(days=1)).replace(hour=18)):
        digest.run(world.database)
    with reading(world.database) as db:
        [facts] = set(db.execute(text("SELECT facts FROM outbox WHERE template = 'desk_digest'")).scalars())
    told = orjson.loads(facts)["cases"]
    assert "Open: 2" in told
    assert "with an answer to read: 1" in told


def test_se_2_nobody_of_the_desk_is_counted_a_case_about_themselves(world: World) -> None:
    suspected(world, "kim")
    assert (counted(world, "kim"), counted(world, "sue")) == ((0, 0, 0, 0), (1, 1, 0, 0))


def test_domain_10_the_question_promises_nothing_that_the_desk_may_break(world: World) -> None:
    ask(world, suspected(world))
    said = TEMPLATES["case_question"].text
    assert "nobody else is asked" not in said
    assert "may also ask the access managers" in said
    assert "{reference}" in TEMPLATES["case_education"].subject


def test_se_2_an_answer_to_a_case_nobody_took_up_is_mailed_to_all_but_whom_it_is_about(world: World) -> None:
    with transaction(world.database) as db:
        case = opening.open_case(db, kind="misuse", source="desk", account_id=world.sue, evidence={"why": "said so"})
        questions.ask_person(db, case, by=world.sam)
        question = questions.of_case(db, case.id)[0].id
    with transaction(world.database) as db:
        questions.answer(db, question, "person", world.sue, by=world.sue, choice="not_me", said="")
    assert mailed(world, "case_answered") == {world.sam, world.kim}


def test_domain_10_a_stranger_with_the_password_alone_neither_reads_nor_answers_a_question(
    world: World, pages: Managed
) -> None:
    with transaction(world.database) as db:
        case = opening.open_case(db, kind="takeover", source="desk", account_id=world.ana, evidence={"why": "said so"})
        questions.ask_person(db, case, by=world.sam)
        question = questions.of_case(db, case.id)[0].id
    ana, at = pages.as_("ana"), f"/account/questions/{question}"
    assert "Tell us what it was" in ana.get(at).text
    with transaction(world.database) as db:  # no second step was used; and while there is none, none is asked for
        db.execute(
            text("UPDATE session SET acr = 'http://idmanagement.gov/ns/assurance/aal/1' WHERE account_id = :a"),
            {"a": world.ana},
        )
    assert "Tell us what it was" in ana.get(at).text
    with transaction(world.database) as db:
        db.add(Factor(account_id=world.ana, kind="totp", name="Phone", secret=b"sealed", confirmed_at=clock.now()))
    assert "Tell us what it was" not in ana.get(at).text
    assert ana.path == "/sign-in/confirm"
    with reading(world.database) as db:
        assert questions.of_case(db, case.id)[0].answered_at is None
