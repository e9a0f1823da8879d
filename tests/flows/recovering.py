"""Getting back in, as the tests of RU-8 do it: a person with proofs, an attempt, the mails it sends."""

import re

import pytest
from sqlalchemy import text

from idp.accounts import people, recovery_mail, second_factor
from idp.database import transaction
from idp.providers import organisations
from tests.browser import Browser
from tests.sign_in_world import TOTP, World

NEW = "nine loud kettles on a hill"


@pytest.fixture
def saved(world: World) -> list[str]:
    """Ana has confirmed addresses, an authenticator app and recovery codes; these are returned."""
    with transaction(world.database) as db:
        account = world.ids()["ana"]
        for one in people.contacts(db, account):
            people.add_contact(db, account, one.email, verified=True)
        second_factor.install(db, account, TOTP)
        organisations.open_portal(db, "prv_lakeside", "medical", by="operator")
        organisations.agree(db, "prv_lakeside", "medical")
        organisations.participate(db, "prv_lakeside", "medical")
        return second_factor.make_recovery_codes(db, account)


def started(world: World, name: str = "ana.ruiz") -> Browser:
    browser = world.browser()
    browser.get("/recover")
    return browser.submit("Continue", username=name)


def mailed(world: World) -> str:
    """Let the job write its mails; return the code of the newest."""
    while recovery_mail.send(world.database):
        pass
    with transaction(world.database) as db:
        sql = "SELECT facts FROM outbox WHERE template = 'recovery_code' ORDER BY id DESC"
        found = db.execute(text(sql)).first()
    return "".join(re.findall(r"\d", str(found[0]))) if found else ""


def stop_link(world: World) -> str:
    with transaction(world.database) as db:
        sql = "SELECT facts FROM outbox WHERE template = 'recovery_begun' ORDER BY id DESC"
        found = db.execute(text(sql)).first()
    assert found
    match = re.search(r"/recover/stop/[\w-]+", str(found[0]))
    assert match
    return match[0]


def with_mail(world: World, name: str = "ana.ruiz") -> Browser:
    """An attempt whose first proof was the mailed code."""
    browser = started(world, name).submit("Mail me a code")
    return browser.submit("Use this mailed code", mailed=mailed(world))
