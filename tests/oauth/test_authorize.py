"""The authorize endpoint: the right error in the right place, and the steps in their order."""

import json
from datetime import timedelta
from urllib.parse import urlencode

import pytest
from freezegun import freeze_time

from idp import clock
from idp.accounts import attestations, terms
from idp.accounts.assurance import AAL1, AAL2, PHR
from idp.accounts.tables import Account
from idp.database import transaction
from idp.federation.tables import Upstream
from idp.providers import affiliations
from tests.oauth.world import CALLBACK, World, answer_of, claims_of, signs_in_at

HTML = {"accept": "text/html"}


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "nobody"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": CALLBACK + "?x=1"},
        {"redirect_uri": CALLBACK.upper()},
        {"redirect_uri": "https://claims.example:443/callback"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "//claims.example/callback"},
        {"redirect_uri": 'https://claims.example/"é'},
        {"client_id": "service"},
    ],
)
def test_security_40_nothing_is_redirected_before_client_and_address_are_proven(
    world: World, change: dict[str, str | None]
) -> None:
    world.sign_in()
    response = world.authorize(**change)
    assert response.status_code == 400
    assert "location" not in response.headers
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": 'x"é'}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"request_uri": "https://claims.example/request"}, "request_uri_not_supported"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"scope": "wam"}, "invalid_scope"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "dance"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"claims": "["}, "invalid_request"),
        ({"claims": '{"id_token": []}'}, "invalid_request"),
        ({"claims": '{"id_token": {"a": 1}}'}, "invalid_request"),
        ({"claims": '{"id_token": {}, "id_token": {}}'}, "invalid_request"),
        ({"id_token_hint": "nonsense"}, "invalid_request"),
        ({"resource": "https://unknown.example"}, "invalid_target"),
        ({"acting_for": "prv_unknown"}, "access_denied"),
        ({"nonce": "x" * 5000}, "invalid_request"),
        ({"nonce": "a\x00b"}, "invalid_request"),
    ],
)
def test_errors_go_to_the_app_with_state_and_iss(world: World, change: dict[str, str | None], error: str) -> None:
    world.sign_in()
    response = world.authorize(**change)
    answer = answer_of(response)
    assert response.headers["location"].startswith(CALLBACK + "?")
    assert answer["error"] == error, answer
    assert answer["state"] == "st-1"
    assert answer["iss"] == "http://localhost:8000"
    assert "code" not in answer


def test_security_50_duplicates_are_refused_and_only_a_proven_address_hears_of_it(world: World) -> None:
    world.sign_in()
    from urllib.parse import urlencode

    query = urlencode(world.ask())
    for extra in ("state=again", "scope=openid", "unknown=a&unknown=b", "nonce=x"):
        answer = answer_of(world.http.get(f"/oauth/authorize?{query}&{extra}", headers=HTML))
        assert answer["error"] == "invalid_request", extra
    for extra in ("client_id=claims", f"redirect_uri={CALLBACK}"):
        assert world.http.get(f"/oauth/authorize?{query}&{extra}", headers=HTML).status_code == 400
    for raw in ("%ff%fe", "client_id=claims&state=%ff"):
        assert world.http.get(f"/oauth/authorize?{raw}", headers=HTML).status_code == 400


def test_unknown_parameters_and_scopes_are_ignored(world: World) -> None:
    world.sign_in()
    assert "code" in answer_of(world.authorize(extra="foobar", scope="openid something-new"))


def test_a_loopback_address_may_have_any_port_for_mobile_clients_only(world: World) -> None:
    loopback = "http://127.0.0.1/callback"
    world.client("phone", channel="mobile", auth_method="none", redirect_uris=[loopback, "com.example.claims:/back"])
    world.client("site", redirect_uris=[loopback])
    world.sign_in()
    assert "code" in answer_of(world.authorize(client_id="phone", redirect_uri="http://127.0.0.1:51234/callback"))
    assert "code" in answer_of(world.authorize(client_id="phone", redirect_uri="com.example.claims:/back"))
    for other in (
        "http://127.0.0.1:51234/other",
        "http://localhost:51234/callback",
        "http://127.0.0.1:5@evil.example/callback",
    ):
        assert world.authorize(client_id="phone", redirect_uri=other).status_code == 400
    assert world.authorize(client_id="site", redirect_uri="http://127.0.0.1:51234/callback").status_code == 400


def test_prompt_none_shows_no_page(world: World) -> None:
    assert answer_of(world.authorize(prompt="none"))["error"] == "login_required"
    world.sign_in()
    assert "code" in answer_of(world.authorize(prompt="none"))
    world.client("outside", client_class="third_party", first_party=False)
    assert answer_of(world.authorize(client_id="outside", prompt="none"))["error"] == "consent_required"
    with transaction(world.database) as db:
        affiliations.approve(db, account_id=world.ana, provider_id=world.imaging, by="operator")
    assert answer_of(world.authorize(prompt="none"))["error"] == "interaction_required"
    assert "code" in answer_of(world.authorize(prompt="none", acting_for=world.imaging))


def test_security_11_the_steps_come_in_order_and_the_flow_belongs_to_one_browser(world: World) -> None:
    with transaction(world.database) as db:
        terms.publish(db, kind="site", version="9", title="New", body="New.")
        affiliations.approve(db, account_id=world.ana, provider_id=world.imaging, by="operator")
    world.run("UPDATE attestation SET expires_at = 1")
    world.client("outside", client_class="third_party", first_party=False)
    first = world.authorize(client_id="outside", acr_values=AAL2)
    where = signs_in_at(first)
    sid = world.sign_in(acr=AAL1, factor=False)
    onward = world.did(where, "sign_in", session_id=sid)
    assert world.http.get(onward).headers["location"].startswith("/sign-in/confirm?flow=")
    world.run("UPDATE session SET acr = :a, factor_time = 1", a=AAL2)
    world.did(where, "second_factor")
    assert world.http.get(onward).headers["location"].startswith("/terms?flow=")
    with transaction(world.database) as db:
        terms.accept(db, world.ana, [d.id for d in terms.unaccepted(db, world.ana)])
    assert world.http.get(onward).headers["location"].startswith("/attest?flow=")
    with transaction(world.database) as db:
        attestations.attest(db, world.ana, capacity="authorised_agent", principal="Lakeside Clinic")
    chooser = world.http.get(onward).headers["location"]
    assert chooser.startswith("/practice?flow=")
    page = world.http.get(chooser, headers=HTML)
    assert "Lakeside Clinic" in page.text
    assert "Harbor Imaging" in page.text
    assert "form-action 'self' https://claims.example;" in page.headers["content-security-policy"]
    key = page.text.split('name="form_key" value="')[1].split('"')[0]
    nothing = world.http.post(chooser, data={"form_key": key}, headers=HTML)
    assert nothing.status_code == 422
    foreign = world.http.post(chooser, data={"form_key": key, "practice": "prv_other"}, headers=HTML)
    assert foreign.status_code == 422
    chosen = world.http.post(chooser, data={"form_key": key, "practice": world.imaging}, headers=HTML)
    consent = world.http.get(chosen.headers["location"]).headers["location"]
    assert consent.startswith("/consent?flow=")
    page = world.http.get(consent, headers=HTML)
    assert "Harbor Imaging" in page.text
    assert "outside" in page.text
    assert "See your name" in page.text
    allowed = world.http.post(consent, data={"form_key": key}, headers=HTML)
    answer = answer_of(world.http.get(allowed.headers["location"]))
    tokens = world.token(
        "outside", grant_type="authorization_code", code=answer["code"], redirect_uri=CALLBACK, code_verifier="v" * 64
    ).json()
    assert claims_of(tokens["id_token"])["provider"] == world.imaging
    # Consent is remembered for what was allowed, and asked again for more.
    assert "code" in answer_of(world.authorize(client_id="outside", acting_for=world.imaging))
    more = world.authorize(client_id="outside", acting_for=world.imaging, scope="openid profile email")
    assert more.headers["location"].startswith("/consent?flow=")
    world.http.cookies.delete("idp_8000_flow")
    assert world.http.get(more.headers["location"], headers=HTML).status_code == 400


def test_security_48_a_consent_is_the_persons_who_gave_it(world: World) -> None:
    """Who signs in on the same browser before the journey ends is asked anew."""
    world.client("outside", client_class="third_party", first_party=False)
    ana = world.sign_in()
    consent = world.authorize(client_id="outside", prompt="consent").headers["location"]
    key = world.http.get(consent, headers=HTML).text.split('name="form_key" value="')[1].split('"')[0]
    onward = world.http.post(consent, data={"form_key": key}, headers=HTML).headers["location"]
    with transaction(world.database) as db:
        bo = Account(display_name="Bo Quist")
        db.add(bo)
        db.flush()
        affiliations.approve(db, account_id=bo.id, provider_id=world.clinic, by="operator")
        attestations.attest(db, bo.id, capacity="authorised_agent", principal="Lakeside Clinic")
        terms.accept(db, bo.id, [d.id for d in terms.unaccepted(db, bo.id)])
    world.run("UPDATE session SET account_id = :bo WHERE id = :s", bo=bo.id, s=ana)
    assert world.http.get(onward, headers=HTML).headers["location"].startswith("/consent?flow=")


def test_saying_no_goes_back_to_the_app(world: World) -> None:
    world.client("outside", client_class="third_party", first_party=False)
    world.sign_in()
    consent = world.authorize(client_id="outside").headers["location"]
    page = world.http.get(consent, headers=HTML)
    key = page.text.split('name="form_key" value="')[1].split('"')[0]
    answer = answer_of(world.http.post(consent, data={"form_key": key, "cancel": "1"}, headers=HTML))
    assert answer == {
        "error": "access_denied",
        "error_description": "The person said no.",
        "state": "st-1",
        "iss": "http://localhost:8000",
    }
    assert world.http.get(consent, headers=HTML).status_code == 400
    world.sign_out()
    first = signs_in_at(world.authorize(client_id="outside"))
    flow = first.split("flow=")[1]
    assert answer_of(world.http.get(f"/oauth/authorize/cancel?flow={flow}"))["error"] == "access_denied"


def test_a_posted_form_without_our_proof_changes_nothing(world: World) -> None:
    world.client("outside", client_class="third_party", first_party=False)
    world.sign_in()
    consent = world.authorize(client_id="outside").headers["location"]
    world.http.get(consent, headers=HTML)
    assert world.http.post(consent, data={"form_key": "x"}, headers=HTML).status_code == 403
    assert world.run("SELECT count(*) FROM consent") == [(0,)]


def test_a_person_without_a_practice_is_told_so_and_can_go_back(world: World) -> None:
    world.run("UPDATE affiliation SET ended_at = 1")
    world.sign_in()
    where = world.authorize().headers["location"]
    assert where.startswith("/practice?flow=")
    page = world.http.get(where, headers=HTML)
    assert "No practice has approved you yet" in page.text
    world.client("plain", acts_for_provider=False)
    code = world.code(client_id="plain")
    tokens = world.token(
        "plain", grant_type="authorization_code", code=code, redirect_uri=CALLBACK, code_verifier="v" * 64
    ).json()
    assert "provider" not in claims_of(tokens["access_token"])


def test_decisions_6_strength_is_met_refused_or_ignored(world: World) -> None:
    world.sign_in(acr=AAL2)
    assert "code" in answer_of(world.authorize(acr_values="urn:something:else"))
    assert "code" in answer_of(world.authorize(acr_values=f"{PHR} {AAL2}"))
    where = world.authorize(acr_values=PHR).headers["location"]
    assert where.startswith("/sign-in/confirm?flow=")
    onward = world.did(where, "second_factor")
    assert answer_of(world.http.get(onward))["error"] == "unmet_authentication_requirements"


def test_an_app_may_ask_for_a_person_by_hint(world: World) -> None:
    start = clock.now()
    world.sign_in()
    hint = world.tokens()["id_token"]
    assert "code" in answer_of(world.authorize(id_token_hint=hint, prompt="none"))
    with freeze_time(start + timedelta(minutes=14), real_asyncio=True):  # the hint has expired, and still serves
        assert "code" in answer_of(world.authorize(id_token_hint=hint, prompt="none"))
    other = '{"id_token": {"sub": {"value": "acc_other"}}}'
    assert answer_of(world.authorize(claims=other, prompt="none"))["error"] == "login_required"
    where = world.authorize(claims=other).headers["location"]
    assert where.startswith("/sign-in?flow=")
    sid = world.sign_in()
    answer = answer_of(world.http.get(world.did(where, "sign_in", session_id=sid)))
    assert answer["error"] == "login_required"


def test_the_flow_keeps_what_its_pages_need_and_parameters_cannot_change_on_the_way(world: World) -> None:
    where = signs_in_at(world.authorize(login_hint="ana"))
    flow_id = where.split("flow=")[1]
    [(facts,)] = world.run("SELECT facts FROM flow WHERE id = :f", f=flow_id)
    assert '"login_hint":"ana"' in facts
    assert '"form_action":"https://claims.example"' in facts
    sid = world.sign_in()
    onward = world.did(where, "sign_in", session_id=sid)
    answer = answer_of(world.http.get(onward + "&scope=openid+email&state=other"))
    assert answer["state"] == "st-1"
    [(scope,)] = world.run("SELECT scope FROM authorization_code")
    assert scope == "openid profile"


def test_a_client_with_a_page_between_gets_a_link_only_after_pages(world: World) -> None:
    world.client("paged", continue_page=True)
    where = signs_in_at(world.authorize(client_id="paged"))
    sid = world.sign_in()
    page = world.http.get(world.did(where, "sign_in", session_id=sid), headers=HTML)
    assert page.status_code == 200
    assert f'href="{CALLBACK}?code=' in page.text
    assert "code" in answer_of(world.authorize(client_id="paged"))


def test_decisions_6_what_is_essential_is_not_undone_by_a_weaker_wish_beside_it(world: World) -> None:
    """`acr_values` says what would do; an essential claim what must be: both are met or neither is (Core 5.5.1.1)."""
    world.sign_in(acr=AAL1, factor=False)
    strong = json.dumps({"id_token": {"acr": {"essential": True, "values": [AAL2, PHR]}}})
    for weaker in (AAL1, f"{AAL1} {AAL2}", "urn:something:else"):
        where = world.authorize(acr_values=weaker, claims=strong).headers["location"]
        assert where.startswith("/sign-in/confirm?flow="), weaker
    weak = json.dumps({"id_token": {"acr": {"essential": True, "value": AAL1}}})
    assert world.authorize(acr_values=AAL2, claims=weak).headers["location"].startswith("/sign-in/confirm?flow=")
    world.sign_in(acr=AAL2)
    assert "code" in answer_of(world.authorize(acr_values=AAL1, claims=strong))


OPEN_WAY = "UPDATE login SET upstream_id = 'ups_x'"
CLOSED: dict[str, str] = {
    "the organization's login is turned off": "UPDATE upstream SET status = 'disabled'",
    "the login has ended": "UPDATE login SET ended_at = 1",
}


@pytest.mark.parametrize("how", CLOSED)
def test_security_35_a_session_opens_nothing_more_once_its_way_in_is_closed(world: World, how: str) -> None:
    """Whether or not somebody ended the session too: no code, and no page of the person's own."""
    world.run(
        "INSERT INTO partner (id, name, kind, status, contact_name, contact_phone, contact_url, created_at) "
        "VALUES ('ptr_x', 'X', 'affiliate', 'active', '', '', '', 0)"
    )
    with transaction(world.database) as db:
        where = {"display_name": "X", "issuer": "https://x.example", "client_id": "us"}
        db.add(Upstream(id="ups_x", partner_id="ptr_x", scopes=[], algorithms=[], acr_map={}, domains=[], **where))
    world.run(OPEN_WAY)
    world.sign_in()
    assert "code" in answer_of(world.authorize())
    assert world.http.get("/account", headers=HTML).status_code == 200
    world.run(CLOSED[how])
    assert world.authorize().headers["location"].startswith("/sign-in?flow=")
    assert answer_of(world.authorize(prompt="none"))["error"] == "login_required"
    assert world.http.get("/account", headers=HTML).headers["location"].startswith("/sign-in")


def test_rfc_8707_two_resources_in_one_request_are_told_apart_from_other_doubles(world: World) -> None:
    world.sign_in()
    query = urlencode(world.ask()) + "&resource=https%3A%2F%2Fone.example&resource=https%3A%2F%2Ftwo.example"
    twice = answer_of(world.http.get(f"/oauth/authorize?{query}", headers=HTML))
    assert twice["error"] == "invalid_target"
    assert twice["state"] == "st-1"
    assert answer_of(world.http.get(f"/oauth/authorize?{query}&nonce=n-2", headers=HTML))["error"] == "invalid_request"
