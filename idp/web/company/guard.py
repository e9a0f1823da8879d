"""Who may look at an outside company's work, and who may change it: its administrators, strongly signed in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends
from sqlmodel import Session

from idp import clock, configuration
from idp.accounts.assurance import AAL2, meets
from idp.errors import StepUp
from idp.partners.tables import Partner
from idp.wam import company
from idp.web.boundary import Transaction
from idp.web.guards import SignedIn, Visitor


@dataclass(frozen=True, slots=True)
class For:
    """An administrator and the company they act for."""

    visitor: Visitor
    company: Partner

    @property
    def frame(self) -> dict[str, Any]:
        """What every page of the company needs."""
        return {
            "acting": {"name": self.company.name, "tin_last4": None, "id": self.company.id},
            "company": self.company,
        }


def administrator(db: Session, person: Visitor, c: str, *, fresh: bool) -> For:
    """Require an administrator of a company; a stranger's is not there. Changing needs a second step just used."""
    partner = company.must_administer(db, person.account.id, c)
    age = configuration.current(db).clocks.factor_fresh
    proved = person.session.factor_time
    if not meets(person.session.acr, AAL2) or (fresh and (proved is None or clock.now() >= proved + age)):
        seconds = int(age.total_seconds()) if fresh else None
        raise StepUp("Confirm it's you. You come straight back to this page.", acr=AAL2, max_age=seconds)
    return For(person, partner)


def _administers(*, fresh: bool) -> Callable[..., For]:
    def guard(c: str, person: SignedIn, db: Transaction) -> For:
        """Require the company's administrator."""
        return administrator(db, person, c, fresh=fresh)

    return guard


Looks = Annotated[For, Depends(_administers(fresh=False))]
"""May look at the company's delegations and people."""
Decides = Annotated[For, Depends(_administers(fresh=True))]
"""May change them."""
