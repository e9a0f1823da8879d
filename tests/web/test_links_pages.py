"""Access support's page of one person's logins: undo, split and release, each with a reason and by a colleague."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from idp import clock
from idp.accounts import linking, people, sessions
from idp.accounts.assurance import AAL2
from idp.accounts.tables import Login
from idp.database import transaction
from idp.entitlements import grants
from idp.providers import affiliations, organisations
from idp.providers.tables import Provider
from tests.browser import Browser
from tests.engines import Filling
from tests.sign_in_world import FILLING, World, link_ana, running, sign_in

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@dataclass
class Support:
    """The world, and Wes as the insurer's access support."""

    world: World
    ana: str
    wes: Browser

    def page(self, account: str | None = None) -> Browser:
        return self.wes.get(f"/security/links?account={account or self.ana}")

    def live(self, account: str | None = None) -> set[str]:
        """The subjects of an account's logins."""
        with transaction(self.world.database) as db:
            return {one.subject for one in linking.logins(db, account or self.ana)}

    def act(self, path: str, **fields: str) -> Browser:
        """Send a form of the page with other values than the page offers."""
        sent = {"form_key": self.page().form_key(), "account": self.ana, **fields}
        return self.wes.post(f"/security/links/{path}", sent, origin=self.world.settings.issuer)


@pytest.fixture
def filling() -> Filling:
    """The sign-in world."""
    return FILLING


@pytest.fixture
def support(settings: Any) -> Iterator[Support]:
    """Ana has the Evergreen login besides her own; Wes may look and may repair."""
    from tests.fakes.upstreams.oidc import OidcProvider

    with running(settings, OidcProvider()) as world:
        link_ana(world)
        ids = world.ids()
        with transaction(world.database) as db:
            db.add(Provider(id="prv_insurer", name="Meridian Health Plan", kind="insurer"))
            db.flush()
            organisations.open_portal(db, "prv_insurer", "medical", by="operator")
            affiliations.approve(db, account_id=ids["wes"], provider_id="prv_insurer", by="operator")
            for key in ("audit.search", "security.access.revoke"):
                grants.grant(
                    db,
                    account_id=ids["wes"],
                    provider_id="prv_insurer",
                    line="medical",
                    entitlement=key,
                    by="operator",
                    reason="access support",
                )
            login = next(one for one in linking.logins(db, ids["wes"]))
            opened = sessions.open_session(
                db,
                account_id=ids["wes"],
                login_id=login.id,
                acr=AAL2,
                amr=["pwd", "otp"],
                factor_time=clock.now(),
            )
            secret = opened.secret
        wes = world.browser()
        jar = wes.cookies.setdefault(urlsplit(world.settings.issuer).netloc, {})
        jar[f"{world.settings.cookie_prefix}session"] = secret
        yield Support(world, ids["ana"], wes)


def outside(support: Support) -> str:
    """The id of Ana's Evergreen login."""
    with transaction(support.world.database) as db:
        return next(one.id for one in linking.logins(db, support.ana) if one.subject == "ev-1")


def test_a_login_linked_wrongly_is_undone_with_a_reason_and_the_journal_says_so(support: Support) -> None:
    page = support.page()
    assert "Ana Ruiz" in page.text
    assert "Evergreen Billing" in page.text
    assert support.world.events("accounts.links.viewed") == 1
    page.submit("Undo this link")
    assert page.status == 422 or "why" in page.text.lower()
    assert "ev-1" in support.live()
    page = support.page().submit("Undo this link", because="it is another Ana's")
    assert page.status == 200, page.text
    assert "ev-1" not in support.live()
    assert "undone" in page.text


def test_two_people_in_one_account_are_taken_apart_and_put_together_again(support: Support) -> None:
    page = support.page()
    page.submit("Take these logins out", name="Anna Reyes", because="two people")
    assert "ev-1" in support.live()  # no login was chosen
    page = support.page().submit(
        "Take these logins out", login=outside(support), name="Anna Reyes", because="two people"
    )
    assert page.status == 200, page.text
    assert "ev-1" not in support.live()
    other = support.world.ids()["anna"]
    assert support.live(other) == {"ev-1"}
    assert "split" in page.text
    page = support.page().submit("Undo this split", because="one person after all")
    assert page.status == 200, page.text
    assert "ev-1" in support.live()


def test_a_held_login_is_let_in_again_only_with_a_reason(support: Support) -> None:
    held = outside(support)
    with transaction(support.world.database) as db:
        row = db.get(Login, held)
        assert row is not None
        row.held_at, row.held_facts = clock.now(), {"name": "Somebody"}
        db.add(row)
    page = support.page().submit("Let it in again")
    assert "Say why" in page.text
    page = support.page().submit("Let it in again", because="she called, same person, new name")
    assert page.status == 200, page.text
    with transaction(support.world.database) as db:
        row = db.get(Login, held)
        assert row is not None
        assert row.held_at is None


def test_security_80_nobody_repairs_their_own_account_or_anothers_login_under_this_one(support: Support) -> None:
    wes = support.world.ids()["wes"]
    assert support.act("undo", account=wes, what="lnk_none", because="x").status == 409
    assert support.act("split", account=wes, login=outside(support), name="X", because="x").status == 409
    assert support.act("release", account=wes, login=outside(support), because="x").status == 409
    with transaction(support.world.database) as db:
        own = next(one.id for one in linking.logins(db, wes))
    assert support.act("release", login=own, because="x").status == 404
    with transaction(support.world.database) as db:
        earlier = people.create(db, display_name="Earlier Kane", status="closed")
        earlier.merged_into = wes
        db.add(earlier)
        mine = earlier.id
    assert support.act("undo", account=mine, what="lnk_none", because="x").status == 409, "it is part of one's own"
    assert support.act("undo", what="lnk_none", because="x").status == 404
    assert support.act("undo", what="lop_none", because="x").status == 404
    assert support.page("acc_none").status == 404
    assert "ev-1" in support.live()


def test_security_79_others_do_not_even_see_that_the_page_is_there(support: Support) -> None:
    ana = sign_in(support.world.browser())
    assert ana.get(f"/security/links?account={support.ana}").status == 404
    key = ana.get("/account").form_key()
    for path in ("undo", "split", "release"):
        sent = {"form_key": key, "account": support.ana, "login": outside(support), "what": "lnk_x", "because": "x"}
        assert ana.post(f"/security/links/{path}", sent, origin=support.world.settings.issuer).status == 404
    assert support.world.browser().get("/security/links").path == "/sign-in"
