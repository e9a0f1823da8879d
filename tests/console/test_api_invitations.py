"""Open invitations over the API: listed without their links, sent again, taken back, by the rules of the pages."""

import pytest
from sqlalchemy import text

from idp.database import transaction
from tests.console.conftest import Api
from tests.wam.world import LINE

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def test_w3_an_invitation_is_listed_sent_again_with_a_new_link_and_taken_back(api: Api) -> None:
    wes = api.calls("wes")
    sent = {"name": "Nina Frost", "email": "nina@lakeside.example", "bundle": "biller", "line": LINE}
    made = wes.post("/people", sent).json()
    [row] = wes.get("/invitations").json()["invitations"]
    assert (row["invitation"], row["bundle"], row["state"]) == (made["invitation"], "biller", "open")
    assert row["ends_at"][:4] == made["ends_at"][:4]
    assert row["email"] == "n...@lakeside.example"
    assert "link" not in row
    again = wes.post(f"/invitations/{row['invitation']}/again", None, key="a" * 20)
    assert again.status_code == 201
    new = again.json()
    assert new["instead_of"] == row["invitation"]
    assert new["link"] != made["link"]
    assert wes.post(f"/invitations/{row['invitation']}/again", None, key="a" * 20).content == again.content
    assert wes.get(f"/invitations/{row['invitation']}").json()["state"] == "withdrawn"
    assert wes.post(f"/invitations/{row['invitation']}/again", None).status_code == 409
    assert wes.post(f"/invitations/{row['invitation']}/withdrawal", None).status_code == 409
    otto = api.calls("otto", practice=api.world.harbor)
    for answer in (
        otto.get(f"/invitations/{new['invitation']}"),
        otto.post(f"/invitations/{new['invitation']}/again", None),
        otto.post(f"/invitations/{new['invitation']}/withdrawal", None),
    ):
        assert answer.status_code == 404
    taken = wes.post(f"/invitations/{new['invitation']}/withdrawal", None)
    assert (taken.status_code, taken.json()["state"]) == (200, "withdrawn")
    assert wes.get("/invitations").json() == {"invitations": []}
    assert api.events("registration.invitation.ended") == 2
    paths = api.sites[api.settings.issuer].get("/api/v1/openapi.json").json()["paths"]
    assert "/api/v1/practices/{p}/invitations/{i}/again" in paths


def test_w3_a_name_is_mended_and_another_address_gets_a_new_link(api: Api) -> None:
    wes = api.calls("wes")
    sent = {"name": "Nina Frots", "email": "nina@lakeside.example", "bundle": "biller", "line": LINE}
    made = wes.post("/people", sent).json()["invitation"]
    mended = wes.post(f"/invitations/{made}/mending", {"name": "Nina Frost"}).json()
    assert (mended["invitation"], mended["name"], mended["link"]) == (made, "Nina Frost", None)
    moved = {"name": "Nina Frost", "email": "nina.frost@lakeside.example"}
    new = wes.post(f"/invitations/{made}/mending", moved, key="d" * 20)
    assert wes.post(f"/invitations/{made}/mending", moved, key="d" * 20).content == new.content
    assert (new.json()["instead_of"], new.json()["name"], new.json()["bundle"]) == (made, "Nina Frost", "biller")
    assert "/invitations/" in new.json()["link"]
    assert wes.get(f"/invitations/{made}").json()["state"] == "withdrawn"
    assert wes.post(f"/invitations/{made}/mending", {"name": "Nina"}).status_code == 409
    assert wes.post(f"/invitations/{new.json()['invitation']}/mending", {"name": ""}).status_code == 422
    otto = api.calls("otto", practice=api.world.harbor)
    assert otto.post(f"/invitations/{new.json()['invitation']}/mending", {"name": "Eve"}).status_code == 404


def test_a_key_that_comes_again_after_its_answer_is_no_longer_kept_is_refused_and_invites_nobody(api: Api) -> None:
    wes = api.calls("wes")
    sent = {"name": "Nina Frost", "email": "nina@lakeside.example", "bundle": "biller", "line": LINE}
    made = wes.post("/people", sent, key="b" * 20).json()["invitation"]
    assert wes.post(f"/invitations/{made}/again", None, key="c" * 20).status_code == 201
    with transaction(api.world.database) as db:
        db.execute(text("DELETE FROM api_answer"))  # as the cleaning does a day later
    for late in (wes.post("/people", sent, key="b" * 20), wes.post(f"/invitations/{made}/again", None, key="c" * 20)):
        assert (late.status_code, late.json()["type"].rsplit("/", 1)[-1]) == (422, "idempotency_key_reused")
    assert len(wes.get("/invitations").json()["invitations"]) == 1
