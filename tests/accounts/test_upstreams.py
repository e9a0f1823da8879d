"""Upstreams are recorded with pinned values; what could not work is refused with the field's name."""

from typing import Any

import pytest

from idp.database import transaction
from idp.errors import Conflict, Invalid, NotFound
from idp.federation import upstreams
from tests.sign_in_world import World

GOOD: dict[str, Any] = {
    "partner_id": "ptr_evergreen",
    "display_name": "Evergreen West",
    "issuer": "https://west.evergreen.example",
    "client_id": "meridian",
    "client_secret": "s" * 32,
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("partner", {"partner_id": "ptr_none"}),
        ("issuer", {"issuer": "http://west.evergreen.example"}),
        ("issuer", {"issuer": "https://west.evergreen.example?x=1"}),
        ("issuer", {"issuer": "http://localhost:8000"}),
        ("display_name", {"display_name": " "}),
        ("client_id", {"client_id": ""}),
        ("algorithms", {"algorithms": []}),
        ("algorithms", {"algorithms": ["ES256", "none"]}),
        ("algorithms", {"algorithms": ["HS256"]}),
        ("acr_map", {"acr_map": {"gold": "very strong"}}),
        ("auth_method", {"auth_method": "tls_client_auth"}),
        ("client_secret", {"client_secret": None}),
        ("scopes", {"scopes": ["profile"]}),
        ("kind", {"kind": "telepathy"}),
        ("status", {"status": "maybe"}),
    ],
)
def test_what_could_not_work_is_refused_by_field(world: World, field: str, value: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused, transaction(world.database) as db:
        upstreams.register(db, **{**GOOD, **value})
    assert field in refused.value.fields
    assert world.count("upstream") == 2


def test_one_issuer_is_one_upstream(world: World) -> None:
    with pytest.raises(Conflict), transaction(world.database) as db:
        upstreams.register(db, **{**GOOD, "issuer": world.evergreen.issuer})
    with transaction(world.database) as db:
        made = upstreams.register(db, **GOOD)
        assert b"ssss" not in (made.client_secret or b"")
        assert upstreams.trusted(db, made.id).client_secret == "s" * 32
        assert "ssss" not in repr(upstreams.trusted(db, made.id))


def test_changing_nothing_changes_nothing(world: World) -> None:
    with transaction(world.database) as db:
        assert not upstreams.change(
            db, "ups_evergreen", display_name="Evergreen Billing", client_secret=world.evergreen.client_secret
        )
        assert upstreams.change(db, "ups_evergreen", display_name="Evergreen")
    assert world.events("federation.upstream.changed") == 1
    with pytest.raises(NotFound), transaction(world.database) as db:
        upstreams.find(db, "ups_none")
