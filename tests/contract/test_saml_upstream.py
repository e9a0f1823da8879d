"""What only a SAML upstream can be asked, through the whole sign-in; the rest asks `test_every_connector.py`.

What single documents must be is asked in `tests/federation/test_saml_answers.py`; here it is the journey, our keys,
metadata and bindings.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from idp.database import transaction
from idp.errors import Invalid
from idp.federation import saml_trust, upstreams
from tests.contract.saml_journey import CALLBACK, assert_refused, brought, filling, sent_back, world
from tests.fakes.upstreams.saml_workshop import metadata, pair
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


def test_saml_nobody_is_signed_in_whom_we_did_not_send(world: World) -> None:
    link_ana(world)
    browser, fields = sent_back(world)
    for bent in ({"RelayState": ""}, {"RelayState": "/account"}, {"RelayState": "x" * 5000}):
        brought(browser, {**fields, **bent})
        assert_refused(world, browser, 400)
    del fields["RelayState"]
    brought(browser, fields)
    assert_refused(world, browser, 400)


def test_saml_an_answer_in_an_address_is_refused(world: World) -> None:
    link_ana(world)
    browser, fields = sent_back(world, attributes={})
    browser.get(f"{CALLBACK}?state={fields['RelayState']}&SAMLResponse={fields['SAMLResponse'][:3000]}")
    assert_refused(world, browser)
    assert world.reasons("federation.upstream.failed") == ["not_posted"]


def test_saml_asked_anew_the_organization_is_told_to_sign_in_again(world: World) -> None:
    browser = world.browser()
    browser.stop_at = world.evergreen.issuer
    browser.get("/sign-in?next=/oauth/authorize%3Fprompt%3Dlogin")
    flow = browser.url.partition("flow=")[2]
    browser.get(f"/login/ups_evergreen?flow={flow}")
    world.evergreen.answer_to(browser.left)
    assert world.evergreen.asked[0]["force"] == "true"


@pytest.mark.parametrize("mode", ["another"])
def test_security_89_unusable_metadata_gets_a_clear_page_and_other_logins_go_on(world: World, mode: str) -> None:
    world.evergreen.mode = mode
    browser = world.browser().get("/login/ups_evergreen")
    assert_refused(world, browser)
    assert "Choose another way" in browser.text
    assert world.browser().get("/login/ups_lakeside").path == "/link"


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
