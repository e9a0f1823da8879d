"""The small world of tests/wam with outside companies: Evergreen Billing, Pine Coding, Cascade (paused)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from idp import clock
from idp.accounts import attestations, people, terms
from idp.accounts.tables import Login
from idp.database import Database, transaction
from idp.entitlements import asking
from idp.entitlements.chains import Scope
from idp.entitlements.decision import Decision
from idp.entitlements.question import OURSELVES, Question
from idp.entitlements.tables import Delegation
from idp.partners import members, register
from idp.providers import organisations, places
from idp.wam import appointments, company, delegating, handing_on
from tests.engines import Filling
from tests.wam.world import LINE, World, build


@dataclass
class Parties(World):
    """Ids by short name; Lakeside has two places and two lines, Wes and Mia manage both."""

    firm: str = ""
    helper: str = ""
    paused: str = ""
    north: str = ""
    south: str = ""
    forms: int = 0

    def form(self) -> str:
        """A form nobody sent before."""
        self.forms += 1
        return f"form-{self.forms:08d}"

    def until(self, days: int = 100) -> datetime:
        return clock.now() + timedelta(days=days)

    def scope(self, *keys: str, days: int = 100, **more: Any) -> Scope:
        return Scope(
            keys or ("claim.status.view", "eligibility.view"), **{"lines": (LINE,), "ends_at": self.until(days), **more}
        )

    def delegate(self, scope: Scope | None = None, by: str = "wes", **more: Any) -> str:
        """Let Evergreen Billing work for Lakeside Clinic; return the delegation's id."""
        with transaction(self.database) as db:
            values = {"partner_id": self.firm, "provider_id": self.lakeside, "form_id": self.form(), **more}
            return delegating.delegate(db, by=self.people.get(by, by), scope=scope or self.scope(), **values).id

    def assign(
        self, delegation_id: str, who: str = "bo", scope: Scope | None = None, by: str = "ada", **more: Any
    ) -> None:
        """Let one of the company's people work by it."""
        with transaction(self.database) as db:
            values = {"partner_id": self.firm, "form_id": self.form(), **more}
            company.assign(
                db,
                by=self.people[by],
                delegation_id=delegation_id,
                account_id=self.people.get(who, who),
                scope=scope or self.scope(days=50),
                **values,
            )

    def pass_on(self, delegation_id: str, scope: Scope | None = None, **more: Any) -> str:
        """Let Pine Coding work by Evergreen's delegation."""
        with transaction(self.database) as db:
            values = {
                "by": self.people["ada"],
                "partner_id": self.firm,
                "to": self.helper,
                "form_id": self.form(),
                **more,
            }
            return handing_on.pass_on(db, delegation_id=delegation_id, scope=scope or self.scope(days=50), **values).id

    def decide(self, who: str, key: str = "eligibility.view", **more: Any) -> Decision:
        """What the service answers now."""
        values = {"provider_id": self.lakeside, "line": LINE, "assume_authenticated": False, **more}
        with transaction(self.database) as db:
            return asking.decide_in_session(
                db, Question(account_id=self.people[who], entitlement=key, app=OURSELVES, sid=None, **values)
            )

    def can(self, who: str, key: str = "eligibility.view", **more: Any) -> bool:
        """Whether everything but the second step is open."""
        return self.decide(who, key, **more).outcome in ("permit", "step_up")

    def row(self, delegation_id: str) -> Delegation:
        with transaction(self.database) as db:
            found = db.get(Delegation, delegation_id)
            assert found is not None
            return found


def build_parties(database: Database) -> Parties:
    """Ada administers Evergreen (Bo, Cy work there), Ed administers Pine (Fay works there)."""
    return extend(build(database))


def extend(small: World) -> Parties:
    """Bring the companies, their people and a second line into the small world."""
    database = small.database
    world = Parties(**{name: getattr(small, name) for name in ("database", "lakeside", "harbor", "people", "logins")})
    with transaction(database) as db:
        organisations.open_portal(db, world.lakeside, "dental", by="operator")
        organisations.agree(db, world.lakeside, "dental")
        appointments.appoint(db, account_id=world.wes, provider_id=world.lakeside, line="dental", by="operator")
        for name in ("north", "south"):
            setattr(world, name, places.add_location(db, world.lakeside, name=f"{name.title()} office").id)
        for name, shown, status in (
            ("firm", "Evergreen Billing", "active"),
            ("helper", "Pine Coding", "active"),
            ("paused", "Cascade Billing", "suspended"),
        ):
            setattr(world, name, register.record(db, name=shown, kind="third_party", status=status).id)
        for name, shown, company_id, administrator in (
            ("ada", "Ada Poe", world.firm, True),
            ("bo", "Bo Lind", world.firm, False),
            ("cy", "Cy Marsh", world.firm, False),
            ("ed", "Ed Nash", world.helper, True),
            ("fay", "Fay Orr", world.helper, False),
        ):
            account = people.create(db, display_name=shown, emails=(f"{name}@company.example",), ial=2)
            login = Login(account_id=account.id, issuer="http://localhost:8000", subject=name)
            db.add(login)
            db.flush()
            terms.accept(db, account.id, [d.id for d in terms.current(db)])
            attestations.attest(db, account.id, capacity="authorised_agent", principal="the practice")
            members.record(db, partner_id=company_id, account_id=account.id, administrator=administrator, by="operator")
            world.people[name], world.logins[name] = account.id, login.id
    return world


_NAMES = ("lakeside", "harbor", "people", "logins", "firm", "helper", "paused", "north", "south")


def _fill(database: Database) -> dict[str, Any]:
    made = build_parties(database)
    return {name: getattr(made, name) for name in _NAMES}


FILLING = Filling("parties", _fill)
