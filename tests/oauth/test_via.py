"""A third party's person: the chain of delegations stands in the token, and the token dies with any link (W-6)."""

from idp.database import transaction
from idp.entitlements import catalog, delegations
from idp.entitlements.tables import Delegation
from idp.leaving import delegations as ending
from idp.leaving import partners
from idp.partners import register
from tests.oauth.world import World, claims_of


def chain(world: World) -> tuple[list[str], list[str]]:
    """Two companies, one link each; Ana works for the second. Return the links and the companies."""
    with transaction(world.database) as db:
        catalog.load_default(db)
        firms = [register.record(db, name=name, kind="third_party", status="active").id for name in ("First", "Second")]
        links: list[str] = []
        for firm in firms:
            made = delegations.record(
                db,
                provider_id=world.clinic,
                partner_id=firm,
                parent_id=links[-1] if links else None,
                entitlements=["claim.status.view"],
                lines=["medical"],
                approved_by="operator",
            )
            links.append(made.id)
    world.run("UPDATE affiliation SET partner_id = :p WHERE account_id = :a", p=firms[1], a=world.ana)
    return links, firms


def test_w6_the_token_names_the_chain_and_dies_with_its_outermost_link(world: World) -> None:
    plain = world.sign_in() and claims_of(world.tokens()["access_token"])
    assert "via" not in plain
    links, _ = chain(world)
    tokens = world.tokens()
    assert claims_of(tokens["access_token"])["via"] == links
    fresh = world.refresh(tokens["refresh_token"]).json()
    assert world.introspect(fresh["access_token"])["via"] == links
    with transaction(world.database) as db:
        first = db.get(Delegation, links[0])
        assert first is not None
        ending.end(db, first, by="operator", reason="contract_ended")
    assert world.introspect(fresh["access_token"]) == {"active": False}
    assert world.refresh(fresh["refresh_token"]).status_code == 400


def test_w6_a_company_paused_anywhere_in_the_chain_ends_its_peoples_tokens(world: World) -> None:
    world.sign_in()
    _, firms = chain(world)
    token = world.tokens()["access_token"]
    assert world.introspect(token)["active"]
    with transaction(world.database) as db:
        partners.suspend(db, firms[0], because="review")
    assert world.introspect(token) == {"active": False}
