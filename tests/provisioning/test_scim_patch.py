"""Changes in place by the letter of RFC 7644 3.5.2, and bodies that say two things at once."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.provisioning.test_scim import USER, api, partner_client, person
from tests.sign_in_world import World

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""What a change means is decided before it is stored."""
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
WORK = {"value": "ana@evergreen.example", "type": "work", "primary": True}
HOME = {"value": "ana@home.example", "type": "home"}
Send = Callable[..., Any]


@pytest.fixture
def kept(world: World) -> dict[str, Any]:
    """Ana on Evergreen's list, and its header."""
    headers = partner_client(world)
    sent = person(displayName="Ana", emails=[WORK, HOME], name={"givenName": "Ana", "familyName": "Ruiz"})
    made = api(world).post("/scim/v2/Users", json=sent, headers=headers)
    assert made.status_code == 201, made.text
    return {"id": made.json()["id"], "headers": headers}


def patched(world: World, kept: dict[str, Any], *operations: dict[str, Any], **more: Any) -> Any:
    """Send operations; return the answer."""
    body = {"schemas": [PATCH], "Operations": list(operations), **more}
    return api(world).patch(f"/scim/v2/Users/{kept['id']}", json=body, headers=kept["headers"])


def now(world: World, kept: dict[str, Any]) -> dict[str, Any]:
    """What stands on the list."""
    found: dict[str, Any] = api(world).get(f"/scim/v2/Users/{kept['id']}", headers=kept["headers"]).json()
    return found


def test_rfc_7644_3_5_2_operations_are_read_as_the_standard_says(world: World, kept: dict[str, Any]) -> None:
    def done(*operations: dict[str, Any]) -> dict[str, Any]:
        answer = patched(world, kept, *operations)
        assert answer.status_code in (200, 204), (operations, answer.text)
        return now(world, kept)

    assert done({"op": "Replace", "path": "displayName", "value": "Ana R."})["displayName"] == "Ana R."
    told = done({"op": "replace", "value": {"displayName": "A. Ruiz", "active": False}})
    assert (told["displayName"], told["active"]) == ("A. Ruiz", False)
    assert done({"op": "replace", "path": "ACTIVE", "value": True})["active"] is True
    assert done({"op": "replace", "path": "name.givenName", "value": "Anna"})["name"]["givenName"] == "Anna"
    told = done({"op": "replace", "path": 'emails[type eq "home"].value', "value": "ana@new.example"})
    assert {one["value"] for one in told["emails"]} == {"ana@evergreen.example", "ana@new.example"}
    told = done({"op": "add", "path": "emails", "value": [{"value": "third@evergreen.example", "type": "other"}]})
    assert len(told["emails"]) == 3
    told = done({"op": "add", "path": "emails", "value": [{"value": "third@evergreen.example", "type": "other"}]})
    assert len(told["emails"]) == 3  # the same value again is no second one
    told = done({"op": "remove", "path": 'emails[type eq "other"]'})
    assert len(told["emails"]) == 2
    told = done({"op": "add", "path": 'emails[type eq "home"].primary', "value": True})
    assert [one["type"] for one in told["emails"] if one.get("primary")] == ["home"]
    assert "displayName" not in done({"op": "remove", "path": "displayName"})
    told = done(
        {"op": "add", "path": "displayName", "value": "first"},
        {"op": "replace", "path": "displayName", "value": "last"},
    )
    assert told["displayName"] == "last"
    assert "shoeSize" not in done({"op": "replace", "path": "shoeSize", "value": 9})  # T-28: what we don't keep


REFUSED: dict[str, tuple[dict[str, Any], set[str]]] = {
    "remove without a path": ({"op": "remove"}, {"noTarget"}),
    "a filter that finds nobody": (
        {"op": "replace", "path": 'emails[type eq "none"].value', "value": "a@b.example"},
        {"noTarget"},
    ),
    "a path that is none": ({"op": "replace", "path": "emails[", "value": "x"}, {"invalidPath"}),
    "the id": ({"op": "replace", "path": "id", "value": "usr_other"}, {"mutability"}),
    "the required name removed": ({"op": "remove", "path": "userName"}, {"mutability", "invalidValue"}),
    "the required name emptied": ({"op": "replace", "path": "userName", "value": None}, {"mutability", "invalidValue"}),
    "another kind of value": ({"op": "replace", "path": "active", "value": {"a": 1}}, {"invalidValue"}),
    "an operation of its own": ({"op": "move", "path": "displayName", "value": "x"}, {"invalidSyntax", "invalidValue"}),
    "no operation": ({"path": "displayName", "value": "x"}, {"invalidSyntax", "invalidValue"}),
}


def test_rfc_7644_3_5_2_what_cannot_be_done_is_refused_and_leaves_nothing_behind(
    world: World, kept: dict[str, Any]
) -> None:
    before = now(world, kept)
    for name, (operation, kinds) in REFUSED.items():
        answer = patched(world, kept, {"op": "replace", "path": "displayName", "value": "half done"}, operation)
        assert answer.status_code == 400, (name, answer.status_code, answer.text)
        assert answer.json()["scimType"] in kinds, (name, answer.text)
        assert now(world, kept) == before, name
    for body in (
        {},
        {"schemas": [PATCH]},
        {"schemas": [USER], "Operations": [{"op": "remove", "path": "displayName"}]},
    ):
        answer = api(world).patch(f"/scim/v2/Users/{kept['id']}", json=body, headers=kept["headers"])
        assert answer.status_code == 400, (body, answer.text)
    assert now(world, kept) == before
    assert world.events("partners.person.changed") == 0


@pytest.mark.parametrize(
    "body",
    [
        b'{"schemas":["%s"],"userName":"bo","userName":"cy"}' % USER.encode(),
        b'{"schemas":["%s"],"userName":"bo","USERNAME":"cy"}' % USER.encode(),
        b'{"schemas":["%s"],"userName":"bo","active":false,"\\u0061ctive":true}' % USER.encode(),
        b'{"schemas":["%s"],"userName":"bo","name":{"givenName":"A","givenName":"B"}}' % USER.encode(),
        b'{"schemas":["%s"],"userName":"bo","emails":[{"value":"a@b.example","Value":"c@d.example"}]}' % USER.encode(),
        b'{"schemas":["%s"],"userName":"bo","name":' % USER.encode() + b'{"a":' * 3000 + b"1" + b"}" * 3001,
    ],
    ids=["twice", "another case", "escaped", "inside", "in a list", "deep"],
)
def test_security_83_a_body_that_says_a_thing_twice_is_refused(world: World, body: bytes) -> None:
    headers = {**partner_client(world), "content-type": "application/scim+json"}
    answer = api(world).post("/scim/v2/Users", content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert answer.json()["scimType"] == "invalidSyntax"
    assert world.count("partner_person") == 0


def test_security_83_an_operation_that_says_two_things_changes_nothing(world: World, kept: dict[str, Any]) -> None:
    before = now(world, kept)
    body = b'{"schemas":["%s"],"Operations":[{"op":"replace","path":"active","value":false,"Value":true}]}'
    headers = {**kept["headers"], "content-type": "application/scim+json"}
    answer = api(world).patch(f"/scim/v2/Users/{kept['id']}", content=body % PATCH.encode(), headers=headers)
    assert answer.status_code == 400, answer.text
    assert now(world, kept) == before
