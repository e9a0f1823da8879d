"""The connector contract: every protocol is asked the same questions, through the whole sign-in.

The next protocol is one file in `tests/contract/protocols/` and one line in `PROTOCOLS`. What only one protocol can be
asked stands in `test_connectors.py` (OpenID Connect) and `test_saml_upstream.py`.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from freezegun import freeze_time

from idp import clock
from idp.database import transaction
from idp.federation import connectors, upstreams
from idp.federation.breaker import AT_ONCE, Breaker
from idp.settings import Settings
from idp.web.signing_in import federation_of
from tests.browser import Browser
from tests.contract.protocols import CALLBACK, KEYS, LIES, METADATA, PROTOCOLS, SKEWED, Way
from tests.engines import Filling
from tests.sign_in_world import World, fill, link_ana, running, sign_in

pytestmark = [
    pytest.mark.parametrize("protocol", PROTOCOLS),
    pytest.mark.parametrize("engine", ["sqlite"], indirect=True),
]
"""The protocols differ before anything is stored; the journeys' writes are tested on both databases elsewhere."""


@pytest.fixture
def way(protocol: str) -> Way:
    """The protocol under test."""
    return PROTOCOLS[protocol]


@pytest.fixture
def filling(protocol: str, way: Way) -> Filling:
    """The sign-in world's data, with Evergreen speaking the protocol under test."""
    return Filling(f"contract_{protocol}", partial(fill, evergreen=way.provider()))


@pytest.fixture
def world(settings: Settings, way: Way) -> Iterator[World]:
    """The sign-in world, with Evergreen speaking the protocol under test, and Ana's login there."""
    with running(settings, way.provider()) as made:
        link_ana(made)
        yield made


def signed_in(world: World, way: Way) -> Browser:
    browser = way.brought(*way.sent_back(world), CALLBACK)
    assert browser.path == "/account", browser.text[:300]
    return browser


def assert_refused(world: World, browser: Browser, status: int = 502) -> None:
    assert browser.status == status, browser.text[:300]
    assert world.count("session") == 0
    assert browser.cookie("session") is None


def well_again(world: World) -> None:
    """Forget that the upstream failed just now."""
    world.app.state.service.parts["federation"].breaker = Breaker()


def test_security_33_an_honest_answer_signs_in_and_every_try_has_words_of_its_own(world: World, way: Way) -> None:
    assert set(PROTOCOLS) == set(connectors.kinds())  # every protocol we speak is asked here
    words: list[str] = []
    for _ in range(2):
        signed_in(world, way)
        words += way.bound(world)
    assert all(len(word) >= 22 for word in words)
    assert len(set(words)) == len(words)


def test_security_33_no_lie_of_an_upstream_is_believed(world: World, way: Way) -> None:
    for told, what in enumerate(LIES, start=1):
        way.tells(world.evergreen, what)
        browser = way.brought(*way.sent_back(world), CALLBACK)
        assert browser.status == 502, what
        assert world.count("session") == 0, what
        assert "Evergreen Billing" in browser.text
        assert "Choose another way" in browser.text
        assert world.events("federation.upstream.failed") == told, what
    way.tells(world.evergreen, "")
    signed_in(world, way)


def test_security_33_clocks_may_differ_by_the_leeway(world: World, way: Way) -> None:
    for what in SKEWED:
        way.tells(world.evergreen, what)
        assert way.brought(*way.sent_back(world), CALLBACK).path == "/account", what


def test_security_31_an_answer_works_once(world: World, way: Way) -> None:
    browser, fields = way.sent_back(world)
    assert way.brought(browser, fields, CALLBACK).path == "/account"
    assert way.brought(browser, fields, CALLBACK).status == 400
    assert world.count("session") == 1


def test_security_31_an_answer_belongs_to_the_browser_that_left(world: World, way: Way) -> None:
    browser, fields = way.sent_back(world)
    victim = sign_in(world.browser()).get("/sign-out").submit("Sign out")
    way.brought(victim, fields, CALLBACK)
    assert victim.status == 400
    assert victim.cookie("session") is None
    back = fields if way.state == "state" else {"state": fields[way.state]}  # what was posted is kept
    assert browser.get(f"{CALLBACK}?" + "&".join(f"{k}={v}" for k, v in back.items())).path == "/account"


def test_security_31_an_answer_belongs_to_its_try_and_to_its_upstream(world: World, way: Way) -> None:
    _, first = way.sent_back(world)
    browser, second = way.sent_back(world)
    assert_refused(world, way.brought(browser, {**first, way.state: second[way.state]}, CALLBACK))
    browser, fields = way.sent_back(world)
    assert_refused(world, way.brought(browser, fields, "/login/ups_lakeside/callback"), 400)
    for bent in ("", "x", "/account", "x" * 3000):
        assert_refused(world, way.brought(browser, {**fields, way.state: bent}, CALLBACK), 400)


def test_security_31_a_try_lives_ten_minutes(world: World, way: Way) -> None:
    browser, fields = way.sent_back(world)
    with freeze_time(clock.now() + timedelta(minutes=10, seconds=1), tick=True):
        assert_refused(world, way.brought(browser, fields, CALLBACK), 400)


def test_security_27_the_same_subject_of_another_issuer_is_somebody_else(world: World, way: Way) -> None:
    signed_in(world, way)
    world.lakeside.person = {"sub": "ev-1", "email": "a.ruiz@evergreen.example"}
    assert world.browser().get("/login/ups_lakeside").path == "/link"


def test_security_35_a_suspended_partner_is_refused_before_and_after_and_its_sessions_stop(
    world: World, way: Way
) -> None:
    inside, (browser, fields) = signed_in(world, way), way.sent_back(world)
    before = len(world.evergreen.calls)
    world.set_partner("ptr_evergreen", "suspended")
    assert way.brought(browser, fields, CALLBACK).status == 403
    page = world.browser().get("/login/ups_evergreen")
    assert (page.status, "Evergreen Billing logins are paused" in page.text) == (403, True)
    assert len(world.evergreen.calls) == before  # nobody there was asked anything
    assert inside.get("/account").path == "/sign-in"
    world.set_partner("ptr_evergreen", "active")
    assert inside.get("/account").path == "/account"
    with transaction(world.database) as db:
        upstreams.change(db, "ups_evergreen", status="disabled")
    assert world.browser().get("/login/ups_evergreen").status == 403
    assert inside.get("/account").path == "/sign-in"


def test_security_36_what_a_sign_in_proves_is_mapped_by_the_record_and_unknown_is_the_lowest(
    world: World, way: Way
) -> None:
    for said, level in (("strong", "aal/2"), ("unknown", "aal/1"), (None, "aal/1")):
        way.acr(world.evergreen, said)
        signed_in(world, way)
        with transaction(world.database) as db:
            query = "SELECT acr FROM session ORDER BY created_at DESC"
            assert str(db.connection().exec_driver_sql(query).scalars().first()).endswith(level), said


def test_t28_facts_nobody_asked_for_are_not_kept(world: World, way: Way) -> None:
    way.personal(world.evergreen)
    signed_in(world, way)
    with transaction(world.database) as db:
        kept = str(db.connection().exec_driver_sql("SELECT facts FROM login").scalars().all())
    assert "a.ruiz@evergreen.example" in kept
    assert "1980" not in kept


def test_security_34_metadata_is_kept_an_hour_and_unknown_keys_ask_rarely(
    world: World, way: Way, protocol: str
) -> None:
    calls: Any = world.evergreen.calls
    signed_in(world, way)
    signed_in(world, way)
    assert calls.count(METADATA[protocol]) == 1
    way.new_key(world.evergreen, published=True)
    signed_in(world, way)  # found at once
    way.new_key(world.evergreen, published=False)
    asked = calls.count(KEYS[protocol])
    for _ in range(3):
        assert way.brought(*way.sent_back(world), CALLBACK).status == 502
    assert calls.count(KEYS[protocol]) == asked
    with freeze_time(clock.now() + timedelta(seconds=61), tick=True):
        for _ in range(3):
            way.brought(*way.sent_back(world), CALLBACK)
        assert calls.count(KEYS[protocol]) == asked + 1
    before = calls.count(METADATA[protocol])
    with freeze_time(clock.now() + timedelta(minutes=63), tick=True):
        way.sent_back(world)
    assert calls.count(METADATA[protocol]) == before + 1


def test_security_89_a_failing_upstream_gets_a_clear_page_and_other_logins_go_on(world: World, way: Way) -> None:
    for mode in ("down", "slow", "garbage", "page", "elsewhere", "huge", "error"):
        world.evergreen.mode = mode
        browser = world.browser().get("/login/ups_evergreen")
        assert_refused(world, browser)
        assert "Evergreen Billing" in browser.text
        assert "Choose another way" in browser.text
        well_again(world)
    assert world.browser().get("/login/ups_lakeside").path == "/link"
    assert sign_in(world.browser()).path == "/account"


def test_security_89_a_dead_upstream_is_left_alone_for_a_while(world: World, way: Way) -> None:
    world.evergreen.mode = "down"
    for _ in range(6):
        assert world.browser().get("/login/ups_evergreen").status == 502
    assert len(world.evergreen.calls) == 3
    with freeze_time(clock.now() + timedelta(seconds=16), tick=True):
        world.evergreen.mode = "well"
        signed_in(world, way)


def test_security_89_no_more_than_a_few_wait_for_one_upstream_at_once(world: World, way: Way) -> None:
    breaker = federation_of(world.app.state.service).breaker
    waiting = [breaker.call("ups_evergreen") for _ in range(AT_ONCE)]
    for one in waiting:
        one.__enter__()
    page = world.browser().get("/login/ups_evergreen")
    assert page.status == 502
    assert "Choose another way" in page.text
    assert world.evergreen.calls == []
    for one in waiting:
        one.__exit__(None, None, None)
    signed_in(world, way)


def test_ru3_no_from_the_organization_offers_another_way(world: World, way: Way) -> None:
    way.refuses(world.evergreen)
    browser = way.brought(*way.sent_back(world), CALLBACK)
    assert_refused(world, browser, 403)
    assert "Choose another way" in browser.text


def test_a_sign_out_over_there_ends_the_session_here_once_and_a_forged_one_ends_nothing(world: World, way: Way) -> None:
    browser = signed_in(world, way)
    assert way.told(world, way.goodbye(world, forged=True)) == 400
    assert browser.get("/account").path == "/account"
    goodbye = way.goodbye(world)
    assert way.told(world, goodbye) == 200
    assert browser.get("/account").path == "/sign-in"
    way.tells(world.evergreen, "")
    browser = signed_in(world, way)
    assert way.told(world, goodbye) == 400
    assert browser.get("/account").path == "/account"
