"""Partners say who their people are (SCIM 2.0): the protocol by its own tester, the rules by ours."""

from typing import Any

import pytest
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import ScimProvider
from scim2_tester import Status, check_server
from starlette.testclient import TestClient

from idp.audit import origin
from idp.database import transaction
from idp.leaving import partners
from idp.oauth import clients
from tests.browser import Browser
from tests.sign_in_world import World, link_ana, sign_in
from tests.wam.test_more_receipts import events

SECRET = "a-supplied-secret-of-at-least-32-characters"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"


def partner_client(world: World, partner: str | None = "ptr_evergreen", name: str = "evergreen-hr") -> dict[str, str]:
    """Register a partner's own system and return the header that carries its token."""
    with transaction(world.database) as db, origin.acting_as("operator"):
        clients.register(
            db,
            client_id=name,
            name=name,
            client_class="third_party" if partner else "own",
            partner_id=partner,
            secret=SECRET,
            grant_types=["client_credentials"],
            scopes=["scim"],
        )
    answer = api(world).post("/oauth/token", data={"grant_type": "client_credentials"}, auth=(name, SECRET))
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def api(world: World) -> TestClient:
    """The service itself, without a browser's cookies."""
    return world.sites[world.settings.issuer]


def assert_promised(world: World, headers: dict[str, str], answer: Any, event: str) -> None:
    """An answer points to the log's promise of what the partner did, which nobody else may read."""
    where = answer.headers["link"].removeprefix("<").partition(">")[0].removeprefix(world.settings.issuer)
    kept = api(world).get(where, headers=headers)
    assert events(world.database, kept.json()) == [event]
    assert api(world).get(where).status_code == 401
    other = partner_client(world, "ptr_lakeside", "other-hr")
    assert api(world).get(where, headers=other).status_code == 404


def arrive(world: World) -> Browser:
    """Sign in through Evergreen in a new browser."""
    browser = world.browser()
    return browser.get("/sign-in?next=/account").click("Find your organization").click("Evergreen Billing")


def person(user_name: str = "ana", **more: Any) -> dict[str, Any]:
    """A user as a partner sends one."""
    return {"schemas": [USER], "userName": user_name, "externalId": "ev-1", **more}


def test_the_protocols_own_tester_finds_nothing(world: World) -> None:
    """RFC 7643 and 7644 by scim2-tester: discovery, create, read, replace, patch, delete, projections."""
    headers = partner_client(world)
    http = api(world)
    http.headers.update(headers)
    http.base_url = f"{world.settings.issuer}/scim/v2"  # type: ignore[assignment]
    client = SyncSCIMClient(http, provider=ScimProvider(()))
    results = check_server(client, raise_exceptions=False)
    bad = [(r.title, r.reason) for r in results if r.status in (Status.ERROR, Status.CRITICAL)]
    assert bad == []
    assert len(results) > 20


def test_t28_only_the_few_facts_we_keep_are_kept(world: World) -> None:
    """A password, groups and entitlements are neither stored nor answered."""
    headers = partner_client(world)
    sent = person(password="hunter2 hunter2", entitlements=[{"value": "eft.manage"}], title="Boss")
    made = api(world).post("/scim/v2/Users", json=sent, headers=headers)
    assert made.status_code == 201, made.text
    assert not made.json().keys() & {"password", "entitlements", "title"}
    assert world.count('"grant"') == 0
    assert world.count("partner_person", "facts LIKE '%hunter2%' OR facts LIKE '%eft%'") == 0


def test_invariant_1_a_record_is_never_matched_with_an_account_by_e_mail(world: World) -> None:
    """A partner that sends Ana's own address gets no way to her account, and learns nothing of it."""
    headers = partner_client(world)
    sent = person(emails=[{"value": "ana@example.com", "primary": True}], externalId="somebody-else")
    before = world.count("login"), world.count("account")
    assert api(world).post("/scim/v2/Users", json=sent, headers=headers).status_code == 201
    assert (world.count("login"), world.count("account")) == before
    world.evergreen.person = {"sub": "somebody-else", "name": "Ana", "email": "ana@example.com", "email_verified": True}
    assert arrive(world).path == "/link"


def test_t17_a_deactivated_person_is_out_and_cannot_come_back_until_reactivated(world: World) -> None:
    link_ana(world)
    headers = partner_client(world)
    made = api(world).post("/scim/v2/Users", json=person(), headers=headers).json()
    ana = arrive(world)
    assert ana.get("/account").status == 200
    patch = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "active", "value": False}],
    }
    off = api(world).patch(f"/scim/v2/Users/{made['id']}", json=patch, headers=headers)
    assert off.status_code in (200, 204)
    assert_promised(world, headers, off, "partners.person.deactivated")
    assert api(world).get(f"/scim/v2/Users/{made['id']}", headers=headers).json()["active"] is False
    assert ana.get("/account").path == "/sign-in"
    refused = arrive(world)
    assert refused.status == 403
    assert "no longer in use" in refused.text
    assert "deactivated_by_organization" in world.reasons("accounts.login.refused")
    patch["Operations"][0]["value"] = True  # type: ignore[index]
    assert api(world).patch(f"/scim/v2/Users/{made['id']}", json=patch, headers=headers).status_code in (200, 204)
    assert arrive(world).get("/account").status == 200


def test_t17_a_removed_person_is_out_and_other_logins_of_theirs_still_work(world: World) -> None:
    link_ana(world)
    headers = partner_client(world)
    made = api(world).post("/scim/v2/Users", json=person(), headers=headers).json()
    gone = api(world).delete(f"/scim/v2/Users/{made['id']}", headers=headers)
    assert gone.status_code == 204
    assert api(world).get(f"/scim/v2/Users/{made['id']}", headers=headers).status_code == 404
    assert_promised(world, headers, gone, "partners.person.removed")
    assert arrive(world).status == 403
    assert sign_in(world.browser()).get("/account").status == 200


def test_security_62_a_partner_sees_and_touches_only_its_own_people(world: World) -> None:
    ours = partner_client(world)
    theirs = partner_client(world, "ptr_lakeside", "lakeside-hr")
    made = api(world).post("/scim/v2/Users", json=person(), headers=ours).json()
    where = f"/scim/v2/Users/{made['id']}"
    assert api(world).get(where, headers=theirs).status_code == 404
    assert api(world).put(where, json=person("x"), headers=theirs).status_code == 404
    assert api(world).delete(where, headers=theirs).status_code == 404
    assert api(world).get("/scim/v2/Users", headers=theirs).json()["totalResults"] == 0
    assert api(world).post("/scim/v2/Users", json=person(), headers=theirs).status_code == 201
    again = api(world).post("/scim/v2/Users", json=person("ANA", externalId="ev-2"), headers=ours)
    assert (again.status_code, again.json()["scimType"]) == (409, "uniqueness")


def test_security_61_who_may_not_provision_is_told_so(world: World) -> None:
    assert api(world).get("/scim/v2/Users").status_code == 401
    own = partner_client(world, None, "own-system")
    assert api(world).get("/scim/v2/Users", headers=own).status_code == 403
    headers = partner_client(world)
    with transaction(world.database) as db, origin.acting_as("operator"):
        partners.suspend(db, "ptr_evergreen", because="overdue")
    assert api(world).get("/scim/v2/Users", headers=headers).status_code == 401
    assert api(world).get("/scim/v2/ServiceProviderConfig").status_code == 200


def test_a_change_that_rests_on_an_old_version_is_refused(world: World) -> None:
    headers = partner_client(world)
    made = api(world).post("/scim/v2/Users", json=person(), headers=headers)
    where, version = f"/scim/v2/Users/{made.json()['id']}", made.json()["meta"]["version"]
    assert api(world).put(where, json=person("b"), headers={**headers, "If-Match": version}).status_code == 200
    late = api(world).put(where, json=person("c"), headers={**headers, "If-Match": version})
    assert late.status_code == 412


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('userName eq "ANA"', 1),
        ('externalId eq "ev-1"', 1),
        ('externalId eq "EV-1"', 0),
        ('active eq true and userName sw "a"', 1),
        ('emails.value co "nobody"', 0),
    ],
)
def test_people_are_found_by_filter(world: World, query: str, found: int) -> None:
    headers = partner_client(world)
    api(world).post("/scim/v2/Users", json=person(active=True), headers=headers)
    api(world).post("/scim/v2/Users", json=person("bo", externalId="ev-2", active=False), headers=headers)
    answer = api(world).get("/scim/v2/Users", params={"filter": query}, headers=headers)
    assert answer.json()["totalResults"] == found


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"schemas":[]}', 400),
        (b'{"schemas":["' + USER.encode() + b'"],"userName":1}', 400),
        (b'{"schemas":["' + USER.encode() + b'"]}', 400),
        (b"\xff\xfe", 400),
    ],
)
def test_security_83_bad_input_gets_a_clear_4xx(world: World, body: bytes, status: int) -> None:
    headers = {**partner_client(world), "content-type": "application/scim+json"}
    answer = api(world).post("/scim/v2/Users", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["detail"]
    assert api(world).get("/scim/v2/Users?filter=nonsense&x=" + "y" * 100, headers=headers).status_code == 400
    assert api(world).get("/scim/v2/Elsewhere", headers=headers).status_code == 404
    assert api(world).post("/scim/v2/Bulk", content=b"{}", headers=headers).status_code == 501


def test_security_83_what_cannot_be_kept_is_refused_when_made_and_when_changed(world: World) -> None:
    headers, http = partner_client(world), api(world)
    kept = http.post("/scim/v2/Users", json=person(), headers=headers).json()
    unkept: list[dict[str, Any]] = [
        {"userName": "a\x00b"},
        {"externalId": "e\x00"},
        {"displayName": "x\x00"},
        {"userName": "n" * 257},
        {"externalId": "".join(chr(0x4E00 + n) for n in range(3000))},
        {"emails": [{"value": f"a{n}@evergreen.example"} for n in range(2000)]},
    ]
    for changed in unkept:
        made = http.post("/scim/v2/Users", json=person("bo", externalId="ev-2") | changed, headers=headers)
        assert (made.status_code, made.json()["scimType"]) == (400, "invalidValue"), changed
        operations = [{"op": "replace", "path": name, "value": value} for name, value in changed.items()]
        patch = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations}
        answer = http.patch(f"/scim/v2/Users/{kept['id']}", json=patch, headers=headers)
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue"), changed


def test_security_83_a_search_for_what_cannot_be_finds_nothing(world: World) -> None:
    headers, http = partner_client(world), api(world)
    http.post("/scim/v2/Users", json=person(), headers=headers)
    for query in ({"filter": 'userName eq "a\\u0000b"'}, {"startIndex": "9" * 23}):
        answer = http.get("/scim/v2/Users", params=query, headers=headers)
        assert (answer.status_code, answer.json().get("Resources", [])) == (200, []), query
