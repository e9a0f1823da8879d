"""Ask whether a person may do something, acting for a practice, now (AuthZEN Authorization API 1.0).

An answer is one of four types. No answer, a broken answer or one that contradicts itself is a Deny: an app that
cannot ask does not go on (security.md 61, 68).
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from idp.resource_server.issuer import Issuer, read_object
from idp.resource_server.problems import IssuerUnavailable
from idp.resource_server.service import LEASE, ServiceToken

_NO = "You don't have access to this."
_NO_ANSWER = "We can't check your access just now. Try again in a moment."


@dataclass(frozen=True, slots=True)
class Question:
    """May this account, in this session, acting for this provider, use this entitlement?"""

    account_id: str
    session_id: str | None
    entitlement: str
    """Catalogue key such as `claim.status.view`."""
    provider_id: str
    line: str | None = None
    """Line of business; None means the client's default."""
    purpose: str | None = None
    """Purpose code, where the entitlement needs one."""
    record: Mapping[str, Any] | None = None
    """Facts of the claim or service that are needed to decide, nothing more (decisions.md 5)."""
    at_least_as_fresh: str | None = None
    """Freshness of an earlier answer that this one must not be older than."""

    def as_json(self) -> dict[str, Any]:
        """Return the question as AuthZEN writes it."""
        context: dict[str, Any] = {}
        if self.purpose is not None:
            context["purpose"] = self.purpose
        if self.record is not None:
            context["record"] = dict(self.record)
        if self.at_least_as_fresh is not None:
            context["at_least_as_fresh"] = self.at_least_as_fresh
        return {
            "subject": {"type": "account", "id": self.account_id, "properties": {"sid": self.session_id}},
            "action": {"name": self.entitlement},
            "resource": {
                "type": "provider",
                "id": self.provider_id,
                "properties": {"line_of_business": self.line} if self.line else {},
            },
            "context": context,
        }


@dataclass(frozen=True, slots=True)
class Contact:
    """Who handles a function that is not handled here."""

    name: str
    phone: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    decision_id: str | None
    """Support can explain the answer by this id."""
    reason: str | None
    """Reason code; None for a permit."""
    sentence: str
    """What to tell the person, in plain words."""
    because: tuple[str, ...] = ()
    """Ids of the grants (and delegations) that decided."""
    freshness: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Permit(_Answer):
    """Yes. Only this type allows anything."""


@dataclass(frozen=True, slots=True)
class Deny(_Answer):
    """No. `help_url` leads to who can help; `reason` is `no_answer` when the service could not be asked."""

    help_url: str | None = None


@dataclass(frozen=True, slots=True)
class Routed(_Answer):
    """Another party handles this: show the contact and nothing of the record."""

    contact: Contact = Contact("")


@dataclass(frozen=True, slots=True)
class StepUp(_Answer):
    """The person must confirm it is them: send them to authorize with these values (RFC 9470)."""

    acr_values: str | None = None
    max_age: int | None = None
    """Seconds."""


Answer = Permit | Deny | Routed | StepUp


class Decisions:
    """Client of the decision endpoints; `timeout` is in seconds."""

    def __init__(self, issuer: Issuer, token: ServiceToken, *, timeout: float = 2.0) -> None:
        self._issuer = issuer
        self._token = token
        self._timeout = timeout

    async def ask(self, question: Question) -> Answer:
        """Ask one question. Never raises for a service that cannot answer: that is a Deny."""
        try:
            return read_answer(await self._post("/access/v1/evaluation", question.as_json()))
        except IssuerUnavailable as problem:
            return _no_answer(str(problem))

    async def ask_many(self, questions: Sequence[Question]) -> list[Answer]:
        """Ask several questions in one request; the answers stand in the order of the questions."""
        if not questions:
            return []
        try:
            body = await self._post("/access/v1/evaluations", {"evaluations": [q.as_json() for q in questions]})
        except IssuerUnavailable as problem:
            return [_no_answer(str(problem)) for _ in questions]
        items = body.get("evaluations")
        if not isinstance(items, list) or len(items) != len(questions):
            return [_no_answer("the batch was not answered item by item") for _ in questions]
        return [read_answer(item) if isinstance(item, dict) else _no_answer("not an object") for item in items]

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ask; an answer that took longer than the lease may be overtaken by a revocation, so it is asked once more."""
        wait = httpx2.Timeout(self._timeout)
        for _ in range(2):
            asked = time.monotonic()
            answer = await self._token.call("POST", self._issuer.url + path, json=body, timeout=wait)
            if answer.status_code != 200:
                raise IssuerUnavailable(f"{path} answered {answer.status_code}")
            if time.monotonic() - asked < LEASE:
                return read_object(answer.content)
        raise IssuerUnavailable(f"{path} answered too late to be acted on")


def read_answer(body: Mapping[str, Any]) -> Answer:
    """Turn an AuthZEN answer into one of the four types; anything that does not add up is a Deny."""
    context = body.get("context")
    facts: Mapping[str, Any] = context if isinstance(context, dict) else {}
    outcome = facts.get("outcome")
    because = facts.get("because")
    told = facts.get("reason_user")
    sentence = told.get("en") if isinstance(told, dict) else None
    common: dict[str, Any] = {
        "decision_id": _text(facts.get("id")),
        "reason": _text(facts.get("reason")),
        "sentence": _text(sentence) or _NO,
        "because": tuple(str(item) for item in because) if isinstance(because, list) else (),
        "freshness": _text(facts.get("freshness")),
        "raw": body,
    }
    if facts.get("simulated"):
        # Nobody may act on what would be (decisions.md 5).
        return Deny(**{**common, "reason": "simulated"})
    if body.get("decision") is True:
        return Permit(**common) if outcome == "permit" else Deny(**{**common, "reason": "contradictory_answer"})
    if outcome == "routed":
        return Routed(**common, contact=_contact(facts.get("contact")))
    step_up = facts.get("step_up")
    if outcome == "step_up" and isinstance(step_up, dict):
        age = step_up.get("max_age")
        return StepUp(**common, acr_values=_text(step_up.get("acr_values")), max_age=age if type(age) is int else None)
    help_ = facts.get("help")
    url = _text(help_.get("url")) if isinstance(help_, dict) else None
    return Deny(**common, help_url=url if url and url.startswith(("https://", "http://")) else None)


def _no_answer(cause: str) -> Deny:
    return Deny(decision_id=None, reason="no_answer", sentence=_NO_ANSWER, raw={"cause": cause})


def _contact(value: object) -> Contact:
    if not isinstance(value, dict):
        return Contact("")
    url = _text(value.get("url"))
    return Contact(
        name=_text(value.get("name")) or "",
        phone=_text(value.get("phone")),
        url=url if url and url.startswith(("https://", "http://")) else None,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
