"""The questions of the connector contract, asked of a SAML upstream through the whole sign-in.

What single documents must be is asked in `tests/federation/test_saml_answers.py`; here it is the journey: single use,
browser, standing, other upstreams, metadata and its keys, and what a person sees.
"""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from freezegun import freeze_time

from idp import clock
from idp.database import transaction
from idp.errors import Invalid
from idp.federation import saml_trust, upstreams
from tests.contract.saml_journey import CALLBACK, assert_refused, brought, filling, sent_back, world
from tests.fakes.upstreams.saml_workshop import MFA, metadata, pair
from tests.sign_in_world import World, link_ana

__all__ = ["filling", "world"]


def test_saml_an_honest_answer_signs_in_and_the_request_was_signed_and_bound(world: World) -> None:
    link_ana(world)
    browser = world.browser().get("/login/ups_evergreen")
    browser.submit("Go on")
    assert browser.path == "/account"
    asked = world.evergreen.asked[0]
    assert asked["callback"] == world.settings.issuer + CALLBACK
    assert asked["algorithm"].endswith("#rsa-sha256")
    assert len(asked["relay_state"]) >= 22
    assert len(asked["id"]) >= 23
    assert "SAMLResponse" not in " ".join(browser.trail)
    with transaction(world.database) as db:
        kept = [dict(row) for row in db.connection().exec_driver_sql("SELECT facts FROM login").mappings().all()]
    assert any("a.ruiz@evergreen.example" in str(row["facts"]) for row in kept)
    assert not any("Billing" in str(row["facts"]) for row in kept)


def test_security_31_a_callback_works_once_in_the_browser_that_left(world: World) -> None:
    link_ana(world)
    browser, fields = sent_back(world)
    victim = world.browser()
    victim.get("/sign-in")
    brought(victim, fields)  # the attacker's answer, in the victim's browser
    assert_refused(world, victim, 400)
    browser.get(f"{CALLBACK}?state={fields['RelayState']}")
    assert browser.path == "/account"
    brought(browser, fields)
    assert browser.status == 400


def test_security_31_an_answer_replayed_50_times_at_once_signs_in_once(world: World) -> None:
    link_ana(world)
    browser, fields = sent_back(world)
    jar = {site: dict(kept) for site, kept in browser.cookies.items()}
    brought(world.browser(), fields)

    def replay(_: int) -> int:
        other = world.browser()
        other.cookies = {site: dict(kept) for site, kept in jar.items()}
        return other.get(f"{CALLBACK}?state={fields['RelayState']}").status

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(replay, range(50)))
    assert sorted(answers) == [200] + [400] * 49
    assert world.count("session") == 1


def test_security_31_another_tries_answer_and_a_try_that_is_over_are_refused(world: World) -> None:
    link_ana(world)
    _, first = sent_back(world)
    browser, second = sent_back(world)
    brought(browser, {**second, "SAMLResponse": first["SAMLResponse"]})
    assert_refused(world, browser)
    assert world.reasons("federation.upstream.failed") == ["in_response_to"]
    browser, fields = sent_back(world)
    with freeze_time(clock.now() + timedelta(minutes=10, seconds=1), tick=True):
        brought(browser, fields)
    assert_refused(world, browser, 400)


def test_saml_nobody_is_signed_in_whom_we_did_not_send(world: World) -> None:
    link_ana(world)
    browser, fields = sent_back(world)
    for bent in ({"RelayState": ""}, {"RelayState": "/account"}, {"RelayState": "x" * 5000}):
        brought(browser, {**fields, **bent})
        assert_refused(world, browser, 400)
    del fields["RelayState"]
    brought(browser, fields)
    assert_refused(world, browser, 400)


def test_security_32_one_upstreams_answer_is_not_anothers(world: World) -> None:
    link_ana(world)
    browser, fields = sent_back(world)
    brought(browser, fields, "ups_lakeside")
    assert_refused(world, browser, 400)


def test_saml_an_answer_in_an_address_is_refused(world: World) -> None:
    link_ana(world)
    browser, fields = sent_back(world, attributes={})
    browser.get(f"{CALLBACK}?state={fields['RelayState']}&SAMLResponse={fields['SAMLResponse'][:3000]}")
    assert_refused(world, browser)
    assert world.reasons("federation.upstream.failed") == ["not_posted"]


@pytest.mark.parametrize(
    "says",
    [
        {"audience": "https://someone.example"},
        {"issuer": "https://id.lakeside.example"},
        {"subject": "x" * 10_000},
        {"subject": None},
    ],
    ids=["audience", "issuer", "subject of 10 kB", "no subject"],
)
def test_security_33_a_hostile_answer_gets_a_clear_page_and_other_logins_go_on(
    world: World, says: dict[str, Any]
) -> None:
    link_ana(world)
    browser, fields = sent_back(world, **says)
    brought(browser, fields)
    assert_refused(world, browser)
    assert "Evergreen Billing" in browser.text
    assert "sent an answer we can't accept" in browser.text
    assert "Choose another way" in browser.text
    assert world.events("federation.upstream.failed") == 1
    world.lakeside.person = {"sub": "ls-1"}
    assert world.browser().get("/login/ups_lakeside").path == "/link"


def test_security_35_the_partners_standing_is_asked_at_both_ends(world: World) -> None:
    link_ana(world)
    browser, fields = sent_back(world)
    world.set_partner("ptr_evergreen", "suspended")
    brought(browser, fields)
    assert_refused(world, browser, 403)
    assert world.browser().get("/login/ups_evergreen").status == 403
    world.set_partner("ptr_evergreen", "active")
    with transaction(world.database) as db:
        upstreams.change(db, "ups_evergreen", status="disabled")
    assert world.browser().get("/login/ups_evergreen").status == 403


def test_security_36_the_context_is_mapped_by_the_partners_record(world: World) -> None:
    link_ana(world)
    for said, level in ((MFA, "aal/2"), ("urn:unknown", "aal/1")):
        browser, fields = sent_back(world, acr=said)
        brought(browser, fields)
        with transaction(world.database) as db:
            query = "SELECT acr FROM session ORDER BY created_at DESC"
            assert str(db.connection().exec_driver_sql(query).scalars().first()).endswith(level)


def test_saml_asked_anew_the_organization_is_told_to_sign_in_again(world: World) -> None:
    browser = world.browser()
    browser.stop_at = world.evergreen.issuer
    browser.get("/sign-in?next=/oauth/authorize%3Fprompt%3Dlogin")
    flow = browser.url.partition("flow=")[2]
    browser.get(f"/login/ups_evergreen?flow={flow}")
    world.evergreen.answer_to(browser.left)
    assert world.evergreen.asked[0]["force"] == "true"


@pytest.mark.parametrize("mode", ["down", "slow", "garbage", "page", "elsewhere", "huge", "error", "another"])
def test_security_89_unusable_metadata_gets_a_clear_page_and_other_logins_go_on(world: World, mode: str) -> None:
    world.evergreen.mode = mode
    browser = world.browser().get("/login/ups_evergreen")
    assert_refused(world, browser)
    assert "Choose another way" in browser.text
    assert world.browser().get("/login/ups_lakeside").path == "/link"


def test_security_34_metadata_is_kept_an_hour_and_a_new_key_is_found_at_once(world: World) -> None:
    link_ana(world)
    for _ in range(2):
        brought(*sent_back(world))
    assert world.evergreen.calls == ["/metadata"]
    world.evergreen.shop.signer = pair("idp-next")
    world.evergreen.published = [pair("idp"), pair("idp-next")]
    browser, fields = sent_back(world)
    assert brought(browser, fields).path == "/account"
    world.evergreen.shop.signer = pair("attacker")
    for _ in range(3):
        assert brought(*sent_back(world)).status == 502
    assert len(world.evergreen.calls) == 2
    with freeze_time(clock.now() + timedelta(seconds=61), tick=True):
        for _ in range(3):
            brought(*sent_back(world))
    assert len(world.evergreen.calls) == 3


def test_saml_our_metadata_names_addresses_and_both_keys_during_a_rotation(world: World) -> None:
    page = world.browser().get("/login/ups_evergreen/metadata")
    assert page.status == 200
    assert page.response.headers["content-type"].startswith("application/samlmetadata+xml")
    assert f'entityID="{world.evergreen.client_id}"' in page.response.text
    assert f'Location="{world.settings.issuer}{CALLBACK}"' in page.response.text
    assert "PRIVATE" not in page.response.text
    assert page.response.text.count("<ds:X509Certificate>") == 2
    with transaction(world.database) as db:
        row = upstreams.find(db, "ups_evergreen")
        saml_trust.prepare_key(db, row)
        assert b"PRIVATE" not in saml_trust.keys(db, row.id)[0].private
    assert world.browser().get("/login/ups_evergreen/metadata").response.text.count("<ds:X509Certificate>") == 4
    with transaction(world.database) as db:
        saml_trust.rotate_key(db, upstreams.find(db, "ups_evergreen"))
    assert world.browser().get("/login/ups_evergreen/metadata").response.text.count("<ds:X509Certificate>") == 2
    assert world.browser().get("/login/ups_lakeside/metadata").status == 404


def test_saml_bindings_the_request_goes_by_form_where_the_record_says_so(world: World) -> None:
    link_ana(world)
    with transaction(world.database) as db:
        text = metadata(world.evergreen.issuer, pair("idp").bare, binding="HTTP-POST").decode()
        upstreams.change(db, "ups_evergreen", saml={"metadata": text, "metadata_url": None, "binding": "post"})
    browser = world.browser().get("/login/ups_evergreen")
    form = browser.form("Continue")
    assert form.action == f"{world.evergreen.issuer}/sso"
    assert {name for name, _ in form.fields} >= {"SAMLRequest", "RelayState"}
    assert world.evergreen.issuer in browser.response.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("saml", "field"),
    [
        ({"metadata": None, "metadata_url": None}, "metadata"),
        ({"metadata": "<x/>", "metadata_url": "https://a.example/m"}, "metadata"),
        ({"metadata": "<x/>", "metadata_url": None}, "metadata"),
        ({"metadata": metadata("https://evil.example", pair("idp").bare).decode(), "metadata_url": None}, "metadata"),
        (
            {
                "metadata": metadata("https://login.evergreen.example", pair("weak", bits=1024).bare).decode(),
                "metadata_url": None,
            },
            "metadata",
        ),
        (
            {
                "metadata": metadata(
                    "https://login.evergreen.example", pair("idp").bare, sign_on="http://login.evergreen.example"
                ).decode(),
                "metadata_url": None,
            },
            "metadata",
        ),
        ({"metadata_url": "ftp://a.example/m"}, "metadata_url"),
        ({"metadata_certificate": "nonsense"}, "metadata_certificate"),
        ({"binding": "artifact"}, "binding"),
    ],
    ids=["none", "both", "not metadata", "another's", "weak key", "plain http", "no https", "certificate", "binding"],
)
def test_saml_a_record_that_cannot_work_is_refused_with_the_field(
    world: World, saml: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as problem, transaction(world.database) as db:
        upstreams.change(db, "ups_evergreen", saml=saml)
    assert field in problem.value.fields


def test_saml_the_browser_leaves_for_the_recorded_address_alone(world: World) -> None:
    browser, fields = sent_back(world)
    assert browser.left is not None
    assert browser.left.startswith(f"{world.evergreen.issuer}/sso?SAMLRequest=")
    assert set(parse_qs(urlsplit(browser.left).query)) == {"SAMLRequest", "RelayState", "SigAlg", "Signature"}
    assert fields["RelayState"] == world.evergreen.asked[0]["relay_state"]
