"""The steps of an authorization request, in order: each is a class, none knows the others.

A step says whether it is still unmet and where it is done. Adding one is a class and a place in the
tuple. What was completed stands in the server-side flow (security.md 11), all else was read on arrival.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from idp import clock
from idp.accounts.assurance import AAL2, meets
from idp.accounts.flows import Kept
from idp.oauth import practices
from idp.oauth.arrival import Arrival, SessionSeen
from idp.oauth.authorization_request import AuthorizationRequest
from idp.oauth.memory import Picture


@dataclass(frozen=True, slots=True)
class Journey:
    """One request on its way: who is there, what was done in its flow."""

    request: AuthorizationRequest
    arrival: Arrival
    flow: Kept | None
    """The journey of this browser; the arrival's own until it is proven to be."""
    picture: Picture
    now: datetime

    def did(self, step: str) -> dict[str, str] | None:
        """Return what a completed step recorded in this flow."""
        return self.flow.facts.get(step) if self.flow is not None else None


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
        request, session = journey.request, journey.arrival.session
        if session is None or journey.arrival.account_status != "active":
            return True
        done = journey.did("sign_in") is not None and journey.flow is not None and _same(journey.flow, session)
        if request.subject is not None and request.subject != session.account_id:
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
        request, session = journey.request, journey.arrival.session
        assert session is not None
        if request.acr is not None and not meets(session.acr, request.acr):
            if journey.did("second_factor") is not None:
                request.refuse("unmet_authentication_requirements", "This person cannot sign in that strongly.")
            return True
        always = journey.arrival.staff_or_manager or journey.picture.configuration.second_factor_for_everyone
        return not meets(session.acr, AAL2) and always


class AcceptTerms:
    """The terms in force are accepted (T-01)."""

    path, error = "/terms", "interaction_required"

    def unmet(self, journey: Journey) -> bool:
        return journey.arrival.terms_accepted < len(journey.picture.terms_at(journey.now))


class Attest:
    """Who acts for a practice has said why they may, within the year (T-14)."""

    path, error = "/attest", "interaction_required"

    def unmet(self, journey: Journey) -> bool:
        if not journey.request.client.acts_for_provider:
            return False
        until = journey.arrival.attested_until
        return until is None or clock.micros(journey.now) >= until


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
        request, session, answered = journey.request, journey.arrival.session, journey.did("consent")
        if answered is not None and session is not None and answered.get("account") == session.account_id:
            return False
        if "consent" in request.prompts:
            return True
        if request.client.first_party:
            return False
        return not journey.arrival.consented.issuperset(request.scope.split())


STEPS: tuple[Step, ...] = (SignIn(), SecondFactor(), AcceptTerms(), Attest(), ChooseProvider(), Consent())


def next_step(journey: Journey) -> Step | None:
    """Return the first step still unmet; None when a code can be issued."""
    return next((step for step in STEPS if step.unmet(journey)), None)


def _same(flow: Kept, session: SessionSeen) -> bool:
    return flow.session_id == session.id
