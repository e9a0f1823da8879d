"""Fixtures of the sign-in tests: the service with people, a practice and two organizations, and browsers for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.testclient import TestClient

from idp import clock
from idp.accounts import attestations, linking, local_logins, passwords, people, second_factor, terms
from idp.app import create_app
from idp.database import Database, reading, transaction
from idp.entitlements import catalog
from idp.entitlements.tables import Appointment
from idp.federation import upstreams
from idp.outbound import Outbound
from idp.partners.tables import Partner
from idp.providers import affiliations
from idp.providers.tables import Provider
from idp.settings import Settings
from tests.browser import Browser
from tests.engines import Filling
from tests.fakes.upstreams.oidc import OidcProvider, Wire
from tests.fakes.upstreams.saml import SamlProvider

PASSWORD = "seven quiet lamps in a row"
LAKESIDE = ("https://id.lakeside.example", "Lakeside Health System")
TOTP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@dataclass
class World:
    """The service under test and everybody around it."""

    app: FastAPI
    database: Database
    sites: dict[str, TestClient]
    evergreen: Any
    lakeside: OidcProvider
    settings: Settings

    def browser(self, **more: str) -> Browser:
        """A new browser that nobody has used."""
        return Browser(self.sites, self.settings.issuer, **more)

    def ids(self) -> dict[str, str]:
        """Ids by a short name."""
        with reading(self.database) as db:
            rows = db.execute(text("SELECT display_name, id FROM account")).all()
        return {str(name).split()[0].lower(): str(value) for name, value in rows}

    def events(self, name: str) -> int:
        """How often an event stands in the log."""
        with transaction(self.database) as db:
            sql = text("SELECT count(*) FROM audit_record WHERE event = :e")
            return int(db.execute(sql, {"e": name}).scalar_one())

    def reasons(self, name: str) -> list[str]:
        """The reasons of an event, oldest first."""
        with transaction(self.database) as db:
            sql = text("SELECT reason FROM audit_record WHERE event = :e ORDER BY seq")
            return [str(row[0]) for row in db.execute(sql, {"e": name}).all()]

    def count(self, table: str, where: str = "1 = 1") -> int:
        """How many rows a table has."""
        with transaction(self.database) as db:
            return int(db.execute(text(f"SELECT count(*) FROM {table} WHERE {where}")).scalar_one())

    def set_partner(self, partner_id: str, status: str) -> None:
        """Change a partner's standing without its consequences, to prove that standing is asked at each use."""
        with transaction(self.database) as db:
            partner = db.get(Partner, partner_id)
            assert partner is not None
            partner.status = status
            db.add(partner)

    def mails(self) -> list[str]:
        """The templates in the outbox, oldest first."""
        with transaction(self.database) as db:
            return [str(row[0]) for row in db.execute(text("SELECT template FROM outbox ORDER BY id")).all()]


def code_now(key: str = TOTP, steps: int = 0) -> str:
    """The code an authenticator app shows now, or some steps from now."""
    return pyotp.TOTP(key).at(clock.now() + timedelta(seconds=30 * steps))


def sign_in(browser: Browser, name: str = "ana.ruiz", password: str = PASSWORD, where: str = "/account") -> Browser:
    """Sign in as a person does."""
    browser.get(f"/sign-in?next={where}")
    browser.submit("Continue", username=name)
    browser.submit("Sign in", password=password)
    assert browser.status < 500, browser.text  # too busy to answer is neither in nor turned away
    return browser


@pytest.fixture
def filling(request: pytest.FixtureRequest) -> Filling | None:
    """The world's data, for the tests that ask for the world."""
    return FILLING if "world" in request.fixturenames else None


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    """Ana (password, no second step), Wes (manager of Lakeside, second step), Evergreen and Lakeside logins."""
    with running(settings, OidcProvider()) as made:
        yield made


@contextmanager
def running(settings: Settings, evergreen: OidcProvider | SamlProvider) -> Iterator[World]:
    """Run the service with Evergreen's provider as given; Lakeside speaks OpenID Connect."""
    lakeside = OidcProvider(*LAKESIDE)
    app = create_app(settings)
    service = app.state.service
    service.parts["outbound"] = Outbound(development=True, transport=Wire(evergreen, lakeside))
    with TestClient(app, base_url=settings.issuer) as client:
        sites = {settings.issuer: client, evergreen.issuer: evergreen.client, lakeside.issuer: lakeside.client}
        yield World(app, service.database, sites, evergreen, lakeside, settings)


def fill(database: Database, evergreen: OidcProvider | SamlProvider | None = None) -> None:
    """Fill a fresh database through domain functions."""
    evergreen, lakeside = evergreen or OidcProvider(), OidcProvider(*LAKESIDE)
    hashed = passwords.hashed(database.ring, PASSWORD)
    with transaction(database) as db:
        catalog.load_default(db)
        db.add(Provider(id="prv_lakeside", name="Lakeside Clinic", tin_last4="6789"))
        for provider, kind in ((evergreen, "third_party"), (lakeside, "affiliate")):
            short = provider.name.split()[0].lower()
            db.add(
                Partner(
                    id=f"ptr_{short}", name=provider.name, kind=kind, status="active", contact_phone="1-800-555-0188"
                )
            )
            db.flush()
            upstreams.register(
                db,
                partner_id=f"ptr_{short}",
                display_name=provider.name,
                **provider.record(),
                domains=(provider.issuer.rpartition("://")[2].partition(".")[2],),
                upstream_id=f"ups_{short}",
            )
        ana = people.create(db, display_name="Ana Ruiz", emails=["ana@example.com", "ana.ruiz@home.example"])
        wes = people.create(db, display_name="Wes Kane", emails=["wes@example.com"], ial=2)
        for account, name in ((ana, "ana.ruiz"), (wes, "wes.kane")):
            local_logins.add(db, account.id, name, hashed)
            affiliations.approve(db, account_id=account.id, provider_id="prv_lakeside", by="operator")
        second_factor.install(db, wes.id, TOTP)
        db.add(
            Appointment(account_id=wes.id, provider_id="prv_lakeside", verified_by="operator", starts_at=clock.now())
        )
        for kind, title in (("site", "Site-specific terms"), ("general", "General terms")):
            document = terms.publish(db, kind=kind, version="2.0", title=title, body=f"{title}.\n\nBe careful.")
            terms.accept(db, ana.id, [document.id])
            terms.accept(db, wes.id, [document.id])
        for account in (ana, wes):
            attestations.attest(db, account.id, capacity="authorised_agent", principal="Lakeside Clinic")


FILLING = Filling("sign_in", fill)


def link_ana(world: World, subject: str = "ev-1") -> str:
    """Give Ana the Evergreen login; return her account id."""
    account_id = world.ids()["ana"]
    with transaction(world.database) as db:
        linking.link(db, account_id, upstream_id="ups_evergreen", issuer=world.evergreen.issuer, subject=subject)
    return account_id
