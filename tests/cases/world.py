"""Lakeside with two access managers, Harbor with one; three of the insurer's security desk."""

from typing import Any

from idp.accounts.tables import Contact
from idp.database import Database, transaction
from idp.entitlements import grants
from idp.providers import organisations
from tests.engines import Filling
from tests.wam.world import LINE, build, person

STAFF = ("security.case.work", "security.access.revoke", "audit.search")


def _fill(database: Database) -> dict[str, Any]:
    world = build(database)
    with transaction(database) as db:
        insurer = organisations.register(db, name="Meridian Health Plan", kind="insurer").id
        organisations.open_portal(db, insurer, LINE, by="operator")
        for name, shown in (("sam", "Sam Adeyemi"), ("sue", "Sue Lind"), ("kim", "Kim Park")):
            who = person(db, world, name, shown, insurer, ial=2)
            for key in STAFF:
                grants.grant(
                    db, account_id=who, provider_id=insurer, line=LINE, entitlement=key, by="operator", reason="staff"
                )
        for name, who in world.people.items():
            db.add(Contact(account_id=who, email=f"{name}@mail.example"))
    return {"lakeside": world.lakeside, "harbor": world.harbor, "people": world.people, "logins": world.logins}


FILLING = Filling("cases", _fill)
