"""A small world for the access manager's tests, made through domain functions only."""

from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session as Db

from idp import clock
from idp.accounts import attestations, people, sessions, terms
from idp.accounts.assurance import AAL2
from idp.accounts.tables import Login
from idp.database import Database, transaction
from idp.entitlements import bundles, catalog
from idp.providers import affiliations, organisations
from idp.wam import appointments
from tests.engines import Filling

LINE = "medical"


@dataclass
class World:
    """Ids by short name."""

    database: Database
    lakeside: str = ""
    harbor: str = ""
    people: dict[str, str] = field(default_factory=dict)
    logins: dict[str, str] = field(default_factory=dict)

    def __getattr__(self, name: str) -> str:
        try:
            return self.people[name]
        except KeyError:
            raise AttributeError(name) from None

    def sign_in(self, name: str) -> str:
        """Open a strong, fresh session for a person; return the cookie's secret."""
        with transaction(self.database) as db:
            opened = sessions.open_session(
                db,
                account_id=self.people[name],
                login_id=self.logins[name],
                acr=AAL2,
                amr=["otp", "pwd"],
                factor_time=clock.now(),
            )
            return opened.secret


def build(database: Database) -> World:
    """Lakeside Clinic with two access managers, Harbor Imaging with one; four employees."""
    world = World(database)
    with transaction(database) as db:
        catalog.load_default(db)
        for kind, title in (("site", "Site-specific terms"), ("general", "General terms")):
            terms.publish(db, kind=kind, version="1.0", title=title, body="Use this for your work only.")
        world.lakeside = practice(db, "Lakeside Clinic", "12-3456789")
        world.harbor = practice(db, "Harbor Imaging", "98-7650412")
        for name, shown, place, ial in (
            ("wes", "Wes Kane", world.lakeside, 2),
            ("mia", "Mia Ode", world.lakeside, 2),
            ("otto", "Otto Brandt", world.harbor, 2),
            ("ana", "Ana Ruiz", world.lakeside, 1),
            ("finn", "Finn Oakes", world.lakeside, 2),
            ("hana", "Hana Cho", world.harbor, 1),
        ):
            person(db, world, name, shown, place, ial=ial)
        for name, place in (("wes", world.lakeside), ("mia", world.lakeside), ("otto", world.harbor)):
            appointments.appoint(
                db, account_id=world.people[name], provider_id=place, by="operator", verified_by="claim"
            )
        for name, place in (("finn", world.lakeside), ("hana", world.harbor)):
            bundles.assign(
                db,
                account_id=world.people[name],
                provider_id=place,
                line=LINE,
                bundle="front_desk",
                by="operator",
                reason="set up",
            )
    return world


def _fill(database: Database) -> dict[str, Any]:
    made = build(database)
    return {"lakeside": made.lakeside, "harbor": made.harbor, "people": made.people, "logins": made.logins}


FILLING = Filling("wam", _fill)


def practice(db: Db, name: str, tin: str, *, participates: bool = True) -> str:
    """Record a practice whose medical portal is open."""
    made = organisations.register(db, name=name, tin=tin)
    organisations.open_portal(db, made.id, LINE, by="operator")
    organisations.agree(db, made.id, LINE)
    if participates:
        organisations.participate(db, made.id, LINE)
    return made.id


def person(db: Db, world: World, name: str, shown: str, provider_id: str, *, ial: int = 1) -> str:
    """Create a person who accepted the terms, attested, and works for a practice."""
    account = people.create(db, display_name=shown, ial=ial)
    login = Login(account_id=account.id, issuer="http://localhost:8000", subject=name)
    db.add(login)
    db.flush()
    terms.accept(db, account.id, [d.id for d in terms.current(db)])
    attestations.attest(db, account.id, capacity="authorised_agent", principal="the practice")
    affiliations.approve(db, account_id=account.id, provider_id=provider_id, by="operator")
    world.people[name], world.logins[name] = account.id, login.id
    return account.id
