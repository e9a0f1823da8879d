"""A practice nobody manages, Nina who claims it, Omar who comes second, and Sam and Una of the insurer."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session as Db
from starlette.testclient import TestClient

from idp import clock
from idp.accounts.tables import Account
from idp.app import create_app
from idp.database import Database, transaction
from idp.entitlements import grants
from idp.first_managers import facts as known_facts
from idp.providers import affiliations, organisations, places
from idp.registration import first_manager, practices
from idp.registration.tables import Application
from idp.settings import Settings
from tests.engines import Filling
from tests.flows.managing import Managed
from tests.wam.world import LINE, World, build, person, practice

TIN, ELSEWHERE = "455555555", "466666666"
LIST = [
    "tin,kind,number,amount,date",
    f"{TIN},claim,CL-2026-0001,1250.00,{{day}}",
    f"{TIN},payment,88123,99.50,{{day}}",
    f"{TIN},claim,CL-2025-0002,10.00,2025-01-01",
    f"{ELSEWHERE},claim,CL-2026-0009,77.00,{{day}}",
]


def claim(db: Db, who: str, tin: str = TIN, line: str = LINE, route: str = "new") -> str | None:
    """Apply to the practice of a TIN; return the claim that came of it, if one did."""
    made = Application(
        account_id=who,
        tin_hash=practices.hash_of(db, tin),
        tin_encrypted=b"sealed",
        tin_last4=tin[-4:],
        line=line,
        route=route,
        starts_at=clock.now(),
        expires_at=clock.now() + timedelta(days=30),
    )
    db.add(made)
    db.flush()
    opened = first_manager.open_claim(db, made)
    return opened.id if opened else None


def extend(world: World) -> tuple[str, str]:
    """Bring the practice, the claim and the insurer's staff into the small world; return practice and claim."""
    with transaction(world.database) as db:
        shore = practice(db, "North Shore", TIN)
        places.add_location(
            db, shore, name="Main", line1="1 Shore Road", city="Duluth", state="MN", postal_code="55802"
        )
        insurer = organisations.register(db, name="Meridian Health Plan", kind="insurer")
        organisations.open_portal(db, insurer.id, LINE, by="operator")
        for name, shown in (("sam", "Sam Ode"), ("una", "Una Roe")):
            account_id = person(db, world, name, shown, insurer.id, ial=2)
            grants.grant(
                db, account_id=account_id, provider_id=insurer.id, line=LINE, entitlement="wam.verify",
                by="operator", reason="desk",
            )  # fmt: skip
        for name, shown in (("nina", "Nina Frost"), ("omar", "Omar Diaz")):
            account_id = person(db, world, name, shown, shore)
            tie = affiliations.live(db, account_id, shore)
            assert tie is not None
            db.delete(tie)
            account = db.get(Account, account_id)
            assert account is not None
            account.status = "verified"
            db.add(account)
        claim_id = claim(db, world.nina)
        day = f"{clock.now() - timedelta(days=10):%Y-%m-%d}"
        known_facts.load(db, [line.replace("{day}", day) for line in LIST])
    assert claim_id is not None
    return shore, claim_id


def _fill(database: Database) -> dict[str, Any]:
    world = build(database)
    shore, claim_id = extend(world)
    return {
        "lakeside": world.lakeside,
        "harbor": world.harbor,
        "people": world.people,
        "logins": world.logins,
        "shore": shore,
        "claim": claim_id,
    }


FILLING = Filling("first_managers", _fill)


@dataclass
class Shore(Managed):
    """North Shore and the claim to manage it."""

    shore: str = ""
    claim: str = ""

    @property
    def page(self) -> str:
        """Where Nina proves it."""
        return f"/register/first-manager/{self.claim}"

    @property
    def desk(self) -> str:
        """Where staff look at it."""
        return f"/insurer/first-managers/{self.claim}"

    def status(self) -> str:
        return str(self.one("SELECT status FROM first_manager_claim WHERE id = :c", c=self.claim))

    def printed(self, by: str = "sam") -> str:
        """Print the letter that waits; return its key."""
        browser = self.as_(by).get("/insurer/first-managers").submit("Print the letter")
        found = re.search(r"\d{4} \d{4} \d{4} \d{4}", browser.text)
        assert found, browser.text[:800]
        return found.group()


@pytest.fixture
def filling(request: pytest.FixtureRequest) -> Filling | None:
    return FILLING if "shore" in request.fixturenames else None


@pytest.fixture
def shore(database: Database, settings: Settings, facts: dict[str, Any]) -> Iterator[Shore]:
    """North Shore, before anybody manages it."""
    mine = {name: facts[name] for name in ("shore", "claim")}
    world = World(database, **{name: value for name, value in facts.items() if name not in mine})
    with TestClient(create_app(settings), base_url=settings.issuer) as client:
        yield Shore(world, settings, {settings.issuer: client}, **mine)
