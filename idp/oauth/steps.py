"""The steps of an authorization request, in order: each is a class, none knows the others.

A step says whether it is still unmet and where it is done. Adding one is a class and a place in the
tuple. What was completed stands in the server-side flow (security.md 11).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlmodel import Session as Db

from idp.accounts import attestations, second_factor, terms
from idp.accounts.assurance import AAL2, meets
from idp.accounts.tables import Account, Flow, Session
from idp.oauth import consents, practices
from idp.oauth.authorization_request import AuthorizationRequest


@dataclass(slots=True)
class Journey:
    """One request on its way: who is there, what was done in its flow."""

    db: Db
    request: AuthorizationRequest
    account: Account | None
    session: Session | None
    flow: Flow | None
    now: datetime

    def did(self, step: str) -> dict[str, str] | None:
        """Return what a completed step recorded in this flow."""
        return self.flow.facts.get(step) if self.flow is not None else None

    @property
    def person(self) -> str:
        """Return who is signed in; only asked after SignIn is met."""
        assert self.account is not None
        return self.account.id


class Step(Protocol):
    """One thing that must be so before a code is issued."""

    path: str
    error: str
    """What prompt=none answers while the step is unmet (Core 3.1.2.6)."""

    def unmet(self, journey: Journey) -> bool:
        """Say whether the person still has to do something."""
        ...


class SignIn:
    """Somebody is signed in: recently enough, anew where the app asks, and the person the app means."""

    path, error = "/sign-in", "login_required"

    def unmet(self, journey: Journey) -> bool:
        request, session, account = journey.request, journey.session, journey.account
        if session is None or account is None or account.status != "active":
            return True
        done = journey.did("sign_in") is not None and journey.flow is not None and _same(journey.flow, session)
        if request.subject is not None and request.subject != account.id:
            if done:
                request.refuse("login_required", "Another person signed in than the app asked for.")
            return True
        if request.prompts & {"login", "select_account"} and not done:
            return True
        if request.max_age is None or done:
            return False
        return journey.now - session.auth_time > timedelta(seconds=request.max_age) or request.max_age == 0


class SecondFactor:
    """The session is as strong as the app asks; access managers and staff use their second step always."""

    path, error = "/sign-in/confirm", "interaction_required"

    def unmet(self, journey: Journey) -> bool:
        request, session = journey.request, journey.session
        assert session is not None
        if request.acr is not None and not meets(session.acr, request.acr):
            if journey.did("second_factor") is not None:
                request.refuse("unmet_authentication_requirements", "This person cannot sign in that strongly.")
            return True
        return not meets(session.acr, AAL2) and second_factor.needs_factor(journey.db, journey.person)


class AcceptTerms:
    """The terms in force are accepted (T-01)."""

    path, error = "/terms", "interaction_required"

    def unmet(self, journey: Journey) -> bool:
        return bool(terms.unaccepted(journey.db, journey.person, journey.now))


class Attest:
    """Who acts for a practice has said why they may, within the year (T-14)."""

    path, error = "/attest", "interaction_required"

    def unmet(self, journey: Journey) -> bool:
        if not journey.request.client.acts_for_provider:
            return False
        return not attestations.in_date(journey.db, journey.person, journey.now)


class ChooseProvider:
    """The practice to act for is known: asked for by the app, chosen, or the only one."""

    path, error = "/practice", "interaction_required"

    def unmet(self, journey: Journey) -> bool:
        if not journey.request.client.acts_for_provider:
            return False
        return practices.chosen(journey) is None


class Consent:
    """The person has allowed the app, unless it is our own (security.md 48)."""

    path, error = "/consent", "consent_required"

    def unmet(self, journey: Journey) -> bool:
        request = journey.request
        if journey.did("consent") is not None:
            return False
        if "consent" in request.prompts:
            return True
        if request.client.first_party:
            return False
        return not consents.covers(journey.db, journey.person, request.client.client_id, request.scope)


STEPS: tuple[Step, ...] = (SignIn(), SecondFactor(), AcceptTerms(), Attest(), ChooseProvider(), Consent())


def next_step(journey: Journey) -> Step | None:
    """Return the first step still unmet; None when a code can be issued."""
    return next((step for step in STEPS if step.unmet(journey)), None)


def _same(flow: Flow, session: Session) -> bool:
    return flow.session_id == session.id
