"""What the tests of this folder share: a second account of Ana's, and sign-ins with a second step."""

from idp.accounts import local_logins, passwords, people, second_factor
from idp.accounts.tables import Login
from idp.database import transaction
from idp.entitlements import grant_rows, grants, pauses
from idp.providers import affiliations
from tests.browser import Browser
from tests.sign_in_world import PASSWORD, World, code_now, sign_in

KEYS = {"ana": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXQ", "twin": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXR"}


def with_steps(world: World, *, twin: bool = True) -> dict[str, str]:
    """Give Ana a second step, and a second account (`ana.twin`) with access at Harbor."""
    ids = {"ana": world.ids()["ana"]}
    with transaction(world.database) as db:
        second_factor.install(db, ids["ana"], KEYS["ana"])
        if twin:
            other = people.create(db, display_name="Twin Ruiz", emails=["twin@example.com"])
            hashed = passwords.hashed(world.database.ring, PASSWORD)
            local_logins.add(db, other.id, "ana.twin", hashed)
            second_factor.install(db, other.id, KEYS["twin"])
            affiliations.approve(db, account_id=other.id, provider_id="prv_lakeside", by="operator")
            give(db, other.id, "claim.status.view")
            pauses.suspend(
                db,
                grant_rows.Place(other.id, "prv_lakeside", "medical"),
                ["remit.view"],
                by="operator",
                reason="under review",
            )
            ids["twin"] = other.id
    return ids


def give(db, account_id: str, key: str) -> str:
    made = grants.grant(
        db,
        account_id=account_id,
        provider_id="prv_lakeside",
        line="medical",
        entitlement=key,
        by="operator",
        reason="test",
    )
    return made.id


def strong(browser: Browser, name: str, where: str = "/account") -> Browser:
    """Sign in with password and second step."""
    sign_in(browser, f"ana.{name}" if name == "twin" else "ana.ruiz", where=where)
    if browser.path != "/sign-in/confirm":
        browser.get("/sign-in/confirm?next=" + where)
    return browser.submit("Confirm", code=code_now(KEYS[name]))


def login_of(world: World, subject: str) -> Login:
    from sqlmodel import col, select

    with transaction(world.database) as db:
        return db.exec(select(Login).where(col(Login.subject) == subject)).one()
