"""A person signs in through an OpenID provider of other makers: the whole way, and where it breaks."""

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from starlette.testclient import TestClient

from idp.accounts import linking, people
from idp.app import create_app
from idp.database import Database, transaction
from idp.federation import upstreams
from idp.partners.tables import Partner
from idp.settings import Settings
from tests.browser import Browser
from tests.foreign import openid
from tests.foreign import world as foreign_world

on_one_engine = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""What happens between the provider and us is the same on both databases."""
AAL1, AAL2 = (f"http://idmanagement.gov/ns/assurance/aal/{level}" for level in (1, 2))


class World(foreign_world.World[openid.ForeignProvider]):
    """With npm's oidc-provider."""

    def reasons(self) -> list[object]:
        """Why the organization's answers were not accepted, oldest first."""
        return [
            row[0]
            for row in self.rows(
                "SELECT reason FROM audit_record WHERE event = 'federation.upstream.failed' ORDER BY seq"
            )
        ]


@pytest.fixture
def world(settings: Settings, foreign: openid.ForeignProvider) -> Iterator[World]:
    """Fran and Gus have accounts here, each with the login of the foreign provider."""
    app = create_app(settings)
    database = app.state.service.database
    with TestClient(app, base_url=settings.issuer) as client:
        record(database, foreign)
        yield World(database, foreign, client, settings)


def record(database: Database, foreign: openid.ForeignProvider) -> None:
    """Record the provider and two people's logins through domain functions."""
    with transaction(database) as db:
        db.add(Partner(id="ptr_foreign", name="Foreign Health", kind="affiliate", status="active"))
        db.flush()
        upstreams.register(
            db,
            partner_id="ptr_foreign",
            display_name="Foreign Health",
            issuer=foreign.issuer,
            client_id=openid.CLIENT["client_id"],
            client_secret=openid.SECRET,
            algorithms=("ES256",),
            acr_map={"strong": AAL2},
            upstream_id="ups_foreign",
        )
        for subject, name in (("fran", "Fran Oduya"), ("gus", "Gus Lind")):
            account = people.create(db, display_name=name, emails=[f"{subject}@example.com"])
            linking.link(db, account.id, upstream_id="ups_foreign", issuer=foreign.issuer, subject=subject)


def leave(browser: Browser) -> Browser:
    """Choose the organization; the browser stands on its sign-in page then."""
    browser.get("/sign-in?next=/account").click("Find your organization").click("Foreign Health")
    assert browser.title == "Foreign sign-in"
    return browser


def enter(browser: Browser, name: str = "fran") -> Browser:
    return browser.submit("Sign in there", username=name, password=openid.USERS[name]["password"])


def bend(world: World, browser: Browser, **changed: str) -> Browser:
    """Set out with a request that somebody changed on its way to the provider."""
    browser.stop_at = world.foreign.issuer
    browser.get("/sign-in?next=/account&other=true").click("Find your organization").click("Foreign Health")
    assert browser.left is not None
    parts = urlsplit(browser.left)
    asked = dict(parse_qsl(parts.query)) | changed
    browser.stop_at = None
    return browser.get(parts._replace(query=urlencode(asked)).geturl())


def test_ru3_a_person_signs_in_through_a_provider_of_other_makers(world: World) -> None:
    browser = enter(leave(world.browser()))
    assert browser.path == "/account"
    assert "What can I do, Fran Oduya?" in browser.text
    assert world.rows("SELECT partner_id, acr, factor_time FROM session") == [("ptr_foreign", AAL1, None)]


@on_one_engine
def test_ru3_the_strength_a_foreign_provider_proves_is_taken_as_the_partner_s_map_says(world: World) -> None:
    enter(leave(world.browser()), "gus")
    ((acr, factor_time),) = world.rows("SELECT acr, factor_time FROM session")
    assert acr == AAL2
    assert factor_time is not None


@on_one_engine
def test_ru3_who_cancels_there_is_told_so_and_may_choose_again(world: World) -> None:
    browser = leave(world.browser()).submit("Cancel there")
    assert browser.status == 403
    assert "Foreign Health did not sign you in" in browser.text
    assert world.rows("SELECT id FROM session") == []


@on_one_engine
def test_security_31_a_wrong_nonce_in_a_foreign_token_is_refused(world: World) -> None:
    browser = enter(bend(world, world.browser(), nonce="of-another-try"))
    assert browser.status == 502
    assert world.reasons() == ["id_token_nonce"]
    assert world.rows("SELECT id FROM session") == []


@on_one_engine
def test_security_31_the_foreign_provider_holds_our_request_to_its_challenge(world: World) -> None:
    browser = enter(bend(world, world.browser(), code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"))
    assert browser.status == 502
    assert world.reasons() == ["code_refused"]


@on_one_engine
def test_security_31_a_return_to_a_state_of_nobody_is_refused(world: World) -> None:
    browser = enter(bend(world, world.browser(), state="of-nobody"))
    assert browser.status == 400
    assert world.rows("SELECT id FROM session") == []


def test_security_31_a_foreign_answer_opens_nothing_in_another_browser(world: World) -> None:
    browser, thief = leave(world.browser()), world.browser()
    browser.stop_at = browser.home
    enter(browser)
    assert browser.left is not None
    thief.get(browser.left)
    assert thief.status == 400
    browser.stop_at = None
    browser.get(browser.left)
    assert browser.path == "/account"


@on_one_engine
def test_security_33_the_other_person_s_code_does_not_fit_this_try(world: World) -> None:
    ours, theirs = leave(world.browser()), leave(world.browser())
    for browser, name in ((ours, "fran"), (theirs, "gus")):
        browser.stop_at = browser.home
        enter(browser, name)
    assert ours.left is not None
    assert theirs.left is not None
    parts = urlsplit(ours.left)
    mixed = dict(parse_qsl(parts.query)) | {"code": dict(parse_qsl(urlsplit(theirs.left).query))["code"]}
    ours.stop_at = None
    ours.get(parts._replace(query=urlencode(mixed)).geturl())
    assert ours.status == 502
    assert world.rows("SELECT id FROM session") == []


@on_one_engine
def test_ru3_who_must_prove_themselves_anew_does_so_there_too(world: World) -> None:
    browser = enter(leave(world.browser()))
    browser.get("/sign-in?next=/account&other=true").click("Find your organization").click("Foreign Health")
    assert browser.path == "/account", "the provider knows this browser still"
    bend(world, browser, prompt="login", max_age="0")
    assert browser.title == "Foreign sign-in"


@on_one_engine
def test_security_89_a_foreign_provider_that_is_gone_gives_a_clear_page_and_others_go_on(settings: Settings) -> None:
    app = create_app(settings)
    with TestClient(app, base_url=settings.issuer) as client, openid.running() as foreign:
        world = World(app.state.service.database, foreign, client, settings)
        record(world.database, foreign)
        browser = leave(world.browser())
        browser.stop_at = browser.home
        enter(browser)
        foreign.end()
        browser.stop_at = None
        assert browser.left is not None
        browser.get(browser.left)
        assert browser.status == 502
        assert "Foreign Health" in browser.text
        assert world.reasons() == ["unreachable"]
        browser.get("/sign-in?next=/account")
        assert browser.status == 200
