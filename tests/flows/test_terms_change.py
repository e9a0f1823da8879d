"""The terms change: published once with a preview, accepted early or on their day, refused after it (T-01 to T-06)."""

import re
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from idp import clock
from idp.accounts import terms
from idp.database import transaction
from idp.entitlements import grants
from idp.providers import affiliations, organisations
from tests.flows.registering import manager
from tests.sign_in_world import World, sign_in, world

__all__ = ["world"]


def make_staff(world: World) -> None:
    """Give Wes the desk: he may look and publish."""
    wes = world.ids()["wes"]
    with transaction(world.database) as db:
        organisations.register(db, name="Meridian Health Plan", kind="insurer", provider_id="prv_insurer")
        organisations.open_portal(db, "prv_insurer", "medical", by="operator")
        affiliations.approve(db, account_id=wes, provider_id="prv_insurer", by="operator")
        for key in ("audit.search", "terms.publish"):
            grants.grant(
                db,
                account_id=wes,
                provider_id="prv_insurer",
                line="medical",
                entitlement=key,
                by="operator",
                reason="desk",
            )


def test_t01_staff_publish_a_version_with_a_preview_and_a_date(world: World) -> None:
    make_staff(world)
    wes = manager(world).get("/insurer/terms")
    assert "In force" in wes.text
    wes.click("Publish a new version").submit("Check the difference", kind="site", version="2.0", effective="1/1/2020")
    assert wes.status == 422
    for sentence in (
        "Version 2.0 was published already",
        "Enter tomorrow or a later day",
        "Enter a title",
        "Enter the text",
    ):
        assert sentence in wes.text
    day = clock.now() + timedelta(days=30)
    body = "Site-specific terms.\n\nBe <b>very</b> careful."
    wes.submit(
        "Check the difference",
        version="2.1",
        title="Site-specific terms",
        body=body,
        changes="Care is now very.",
        effective=f"{day:%m/%d/%Y}",
    )
    assert "1 paragraph new, 1 gone, against version 2.0" in wes.text
    assert "2 active people accept it" in wes.text
    assert "<b>very</b>" not in wes.response.text, "a text is shown, never run"
    assert world.count("terms_document") == 2, "looking publishes nothing"
    form = dict(wes.form("Publish version 2.1").fields)
    wes.post("/insurer/terms", form | {"body": body + " And pay."})
    assert wes.status == 409, "what was checked is what is published"
    wes.post("/insurer/terms", form)
    assert wes.path == "/insurer/terms"
    assert "Coming" in wes.text
    assert world.events("accounts.terms.published") == 3

    ana = sign_in(world.browser())
    assert "Read the terms that change soon" in ana.text
    ana.get("/account/terms")
    assert "Care is now very." in ana.text
    ana.submit("Accept now")
    assert ana.status == 422
    ana.submit("Accept now", accept=re.findall(r'value="(trm_[a-z0-9]+)"', ana.response.text))
    assert "2.1" in ana.text
    assert world.events("accounts.terms.shown") >= 1
    with freeze_time(day + timedelta(days=1)), transaction(world.database) as db:
        assert terms.unaccepted(db, world.ids()["ana"]) == [], "accepted early counts on the day"
        assert [one.version for one in terms.unaccepted(db, world.ids()["wes"])] == ["2.1"]


def test_t01_only_staff_with_the_permission_publish(world: World) -> None:
    ana = sign_in(world.browser())
    for path in ("/insurer/terms", "/insurer/terms/new"):
        assert ana.get(path).status in (403, 404)
    key = ana.get("/account").form_key()
    ana.post("/insurer/terms", {"form_key": key, "kind": "site", "version": "9", "title": "x", "body": "x"})
    assert ana.status in (403, 404)
    assert world.count("terms_document") == 2


def test_t01_a_published_text_cannot_be_edited_even_in_the_database(world: World) -> None:
    for statement in ("UPDATE terms_document SET body = 'x'", "DELETE FROM terms_document"):
        with pytest.raises(DatabaseError), transaction(world.database) as db:
            db.execute(text(statement))
    assert world.count("terms_document", "body = 'x'") == 0
