"""The whole kit in a small app: sign-in, guards, step-up, routed, refresh, sign-out."""

from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from idp.resource_server.guards import Allowed, Person
from idp.resource_server.portal import Portal, PortalSettings
from tests.kit.issuer import AUDIENCE, CLIENT, SECRET, URL, FakeIssuer

HTML = {"accept": "text/html"}


class App:
    """The app, its fake identity service and one browser."""

    def __init__(self, fake: FakeIssuer) -> None:
        self.fake = fake
        settings = PortalSettings(
            issuer=URL, client_id=CLIENT, client_secret=SECRET, origin=AUDIENCE, resource=AUDIENCE, cookie="claims"
        )
        self.portal = portal = Portal(settings, http=fake.client())
        app = FastAPI(lifespan=portal.lifespan)
        portal.install(app)

        @app.get("/me")
        async def me(person: Annotated[Person, Depends(portal.signed_in)]) -> dict[str, str | None]:
            return {"account": person.account_id, "provider": person.provider_id, "name": person.name}

        guard = portal.entitled("claim.status.view", purpose=lambda request: request.query_params.get("purpose"))

        @app.get("/claims/{number}")
        async def claim(number: str, allowed: Annotated[Allowed, Depends(guard)]) -> dict[str, Any]:
            return {"number": number, "because": list(allowed.permit.because)}

        self.browser = TestClient(app, base_url=AUDIENCE, follow_redirects=False)

    def away(self, path: str = "/me") -> dict[str, str]:
        """Be sent to the identity service; return the parameters of the authorization request."""
        answer = self.browser.get(path, headers=HTML)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(f"{URL}/oauth/authorize?")
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    def give_tokens(self, nonce: str | None, **changes: Any) -> None:
        access = self.fake.access_token(**changes)
        about = {"sub": changes["sub"]} if "sub" in changes else {}
        body = {"access_token": access, "token_type": "Bearer", "refresh_token": "r"}
        self.fake.token_answer = (200, {**body, "id_token": self.fake.id_token(access, nonce=nonce, **about)})

    def sign_in(self, path: str = "/me", **changes: Any) -> Any:
        sent = self.away(path)
        self.give_tokens(sent["nonce"], **changes)
        return self.browser.get("/callback", params={"code": "c", "state": sent["state"], "iss": URL})


@pytest.fixture
def app(fake: FakeIssuer) -> Iterator[App]:
    made = App(fake)
    with made.browser:
        yield made


def test_d2_signing_in_uses_code_pkce_s256_state_and_nonce_and_returns_to_the_same_page(app: App) -> None:
    sent = app.away("/claims/CLM-1?purpose=X")
    assert sent["response_type"] == "code"
    assert sent["code_challenge_method"] == "S256"
    assert len(sent["code_challenge"]) == 43
    app.give_tokens(sent["nonce"])
    back = app.browser.get("/callback", params={"code": "c", "state": sent["state"], "iss": URL})
    assert (back.status_code, back.headers["location"]) == (303, "/claims/CLM-1?purpose=X")
    assert "HttpOnly" in back.headers["set-cookie"]
    assert "__Host-claims_session" in back.headers["set-cookie"]
    assert app.browser.get("/me").json() == {"account": "acc_ana", "provider": "prv_lakeside", "name": "Ana Ruiz"}
    assert [form["code_verifier"] != "" for form in app.fake.forms if "code_verifier" in form] == [True]


@pytest.mark.parametrize("change", ["state", "iss", "no iss", "browser", "twice", "nonce", "error", "duplicate"])
def test_security_31_a_callback_that_does_not_fit_signs_nobody_in(change: str, app: App) -> None:
    sent = app.away()
    app.give_tokens("another" if change == "nonce" else sent["nonce"])
    answer: Any = {"code": "c", "state": sent["state"], "iss": URL}
    if change == "state":
        answer["state"] = "x"
    elif change == "iss":
        answer["iss"] = "https://evil.example"
    elif change == "no iss":
        del answer["iss"]
    elif change == "browser":
        app.browser.cookies.clear()
    elif change == "twice":
        app.browser.get("/callback", params=answer)
        app.browser.cookies.delete("__Host-claims_session")
    elif change == "error":
        answer["error"] = "access_denied"
    elif change == "duplicate":
        answer = [*answer.items(), ("code", "d")]
    refused = app.browser.get("/callback", params=answer, headers=HTML)
    assert refused.status_code == 403
    assert app.browser.get("/me", headers=HTML).status_code == 303


@pytest.mark.parametrize("where", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "x"])
def test_security_40_the_way_back_is_a_path_of_this_app(where: str, app: App) -> None:
    sent = dict(parse_qsl(urlsplit(app.browser.get("/sign-in", params={"next": where}).headers["location"]).query))
    app.give_tokens(sent["nonce"])
    back = app.browser.get("/callback", params={"code": "c", "state": sent["state"], "iss": URL})
    assert back.headers["location"] == "/"


def test_d4_a_permit_lets_pass_and_names_the_grant(app: App) -> None:
    app.sign_in()
    app.fake.answers = [{"decision": True, "context": {"outcome": "permit", "because": ["grt_1"]}}]
    assert app.browser.get("/claims/CLM-1?purpose=P").json() == {"number": "CLM-1", "because": ["grt_1"]}
    assert app.fake.questions[0]["context"] == {"purpose": "P"}


def test_d4_a_deny_shows_the_sentence_and_no_data(app: App) -> None:
    app.sign_in()
    no = {"outcome": "deny", "reason": "entitlement_not_granted", "reason_user": {"en": "Ask <Wes>."}}
    app.fake.answers = [{"decision": False, "context": no}]
    page = app.browser.get("/claims/CLM-1", headers=HTML)
    assert page.status_code == 403
    assert "Ask &lt;Wes&gt;." in page.text


def test_d4_step_up_sends_a_browser_to_confirm_and_back_and_not_in_circles(app: App) -> None:
    app.sign_in()
    wish = {"outcome": "step_up", "reason": "step_up_required", "step_up": {"acr_values": "phr", "max_age": 900}}
    no = {"decision": False, "context": wish}
    app.fake.answers = [no, no]
    sent = app.away("/claims/CLM-1?purpose=P")
    assert (sent["acr_values"], sent["max_age"], sent["acting_for"]) == ("phr", "900", "prv_lakeside")
    app.give_tokens(sent["nonce"])
    back = app.browser.get("/callback", params={"code": "c", "state": sent["state"], "iss": URL})
    assert back.headers["location"] == "/claims/CLM-1?purpose=P"
    assert app.browser.get("/claims/CLM-1?purpose=P", headers=HTML).status_code == 403


def test_d4_apis_get_the_challenge_of_rfc_9470_and_the_contact_of_a_routed_answer(app: App) -> None:
    bearer = {"authorization": f"Bearer {app.fake.access_token()}"}
    wish = {"outcome": "step_up", "reason": "step_up_required", "step_up": {"acr_values": "phr", "max_age": 900}}
    contact = {"outcome": "routed", "contact": {"name": "Northwind", "phone": "1-800-555-0177"}}
    app.fake.answers = [{"decision": False, "context": wish}, {"decision": False, "context": contact}]
    told = app.browser.get("/claims/CLM-1", headers=bearer)
    assert told.status_code == 401
    assert told.headers["www-authenticate"] == (
        'Bearer error="insufficient_user_authentication", acr_values="phr", max_age="900"'
    )
    routed = app.browser.get("/claims/CLM-9", headers=bearer)
    assert (routed.status_code, routed.json()["contact"]["name"]) == (403, "Northwind")


def test_d3_bearer_callers_without_an_acceptable_token_get_401(app: App) -> None:
    service = app.fake.access_token(sid=None, provider=None, authz_epoch=None, sub=CLIENT)
    for value in ("Basic x", "Bearer", "Bearer x", f"Bearer {app.fake.access_token(aud='x')}", f"Bearer {service}"):
        told = app.browser.get("/me", headers={"authorization": value})
        assert told.status_code == 401
        assert told.headers["www-authenticate"].startswith("Bearer")


def test_security_92_a_revoked_token_is_refused_and_a_refresh_that_fails_sends_to_sign_in(app: App) -> None:
    app.sign_in()
    bearer = {"authorization": f"Bearer {app.fake.access_token()}"}
    assert app.browser.get("/me", headers=bearer).status_code == 200
    app.portal.feed.hear({"seq": 1, "kind": "grant_ended", "account_id": "acc_ana", "authz_epoch": 4})
    assert app.browser.get("/me", headers=bearer).status_code == 401
    app.fake.token_answer = (400, {"error": "invalid_grant"})
    sent = app.away("/me")
    assert sent["acting_for"] == "prv_lakeside"
    app.give_tokens(sent["nonce"], authz_epoch=4)
    app.browser.get("/callback", params={"code": "c", "state": sent["state"], "iss": URL})
    assert app.browser.get("/me").status_code == 200


def test_security_92_with_a_stale_feed_introspection_decides_and_no_answer_is_a_no(app: App) -> None:
    bearer = {"authorization": f"Bearer {app.fake.access_token()}"}
    app.portal.feed._lease = -1.0
    assert app.browser.get("/me", headers=bearer).status_code == 200
    app.fake.active = False
    assert app.browser.get("/me", headers=bearer).status_code == 401
    app.fake.active, app.fake.down = True, True
    assert app.browser.get("/me", headers=bearer).status_code == 401


def test_a_token_about_to_end_is_renewed_while_serving_a_request_for_the_same_person_only(app: App) -> None:
    app.sign_in(exp=app.fake.claims()["iat"] + 5)
    app.give_tokens(None)
    assert app.browser.get("/me").status_code == 200
    assert app.fake.forms[-1]["grant_type"] == "refresh_token"
    app.portal.feed.hear({"seq": 1, "account_id": "acc_ana", "authz_epoch": 4})
    app.give_tokens(None, sub="acc_mallory")
    assert app.browser.get("/me", headers=HTML).status_code == 303
    app.sign_in(exp=app.fake.claims()["iat"] + 5, authz_epoch=4)
    app.give_tokens("another", authz_epoch=4)
    assert app.browser.get("/me", headers=HTML).status_code == 303


def test_rp_initiated_logout_ends_the_family_and_the_session_and_a_foreign_form_does_not(app: App) -> None:
    app.sign_in()
    for headers in ({}, {"origin": "https://evil.example"}, {"referer": "https://evil.example/x"}):
        assert app.browser.post("/sign-out", headers=headers).status_code == 403
    out = app.browser.post("/sign-out", headers={"origin": AUDIENCE})
    assert out.headers["location"].startswith(f"{URL}/oauth/logout?id_token_hint=")
    assert "/oauth/revoke" in app.fake.asked
    assert app.browser.get("/me", headers=HTML).status_code == 303


def test_a_service_that_is_down_is_told_plainly_and_signs_nobody_out(app: App) -> None:
    app.sign_in()
    app.fake.down = True
    app.portal.feed._lease = -1.0
    page = app.browser.get("/me", headers=HTML)
    assert page.status_code == 503
    assert "does not answer" in page.text
    app.fake.down = False
    assert app.browser.get("/me").status_code == 200
    app.portal.issuer._metadata = None
    app.fake.down = True
    assert app.browser.get("/sign-in").status_code == 503


def test_ru5_who_no_longer_works_for_a_practice_reads_that_and_where_it_says_whom_to_ask(app: App) -> None:
    sent = app.away()
    answer = {"state": sent["state"], "iss": URL, "error": "access_denied", "error_description": "provider_not_granted"}
    refused = app.browser.get("/callback", params=answer, headers=HTML)
    assert refused.status_code == 403
    assert "work for that practice any more" in refused.text
    assert "You were not signed in" not in refused.text
