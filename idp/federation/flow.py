"""Begin and finish a sign-in at an upstream: state, single use, browser binding, mix-up defence, standing.

Once for all protocols. No transaction is open while an upstream is waited for.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NoReturn

from sqlmodel import Session as Db

from idp import clock, configuration, entropy
from idp.accounts.assertion import Assertion
from idp.audit import log
from idp.audit.events import Event
from idp.database import Database, of, transaction
from idp.database.lane import drive
from idp.errors import NotFound, Refused, UpstreamRefused
from idp.federation import connectors, pending, upstreams
from idp.federation.breaker import Breaker
from idp.federation.contract import AnswerRefused, Connector, SendBrowser, Told, TrustedUpstream, Try
from idp.federation.pending import Pending, ReturnRefused
from idp.outbound import Outbound, OutboundFailed


class Declined(Refused):
    """The person or the organization said no over there."""

    status = 403
    code = "declined_there"
    title = "You were not signed in"


@dataclass
class Federation:
    """What this process keeps for talking to upstreams: connectors with their caches, and the breaker."""

    database: Database
    outbound: Outbound
    breaker: Breaker = field(default_factory=Breaker)
    _connectors: dict[str, Connector] = field(default_factory=dict)

    def connector(self, kind: str) -> Connector:
        """Return the connector of a protocol; the module `connectors.<kind>` holds the class `<Kind>`."""
        if kind not in self._connectors:
            if kind not in connectors.kinds():
                raise NotFound
            module = importlib.import_module(f"idp.federation.connectors.{kind}")
            self._connectors[kind] = getattr(module, kind.capitalize())(self.outbound)
        return self._connectors[kind]

    def at_hand(self, told: Told | Try) -> bool:
        """Say whether a try can begin without asking the upstream, or loading its protocol, first."""
        made = self._connectors.get(told.upstream.kind)
        return made is not None and made.at_hand(told)


@dataclass(frozen=True, slots=True)
class Finished:
    """A proved sign-in elsewhere and what it was begun for."""

    assertion: Assertion
    flow_id: str | None
    purpose: str
    account_id: str | None
    session_id: str | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """An upstream in good standing, and the clocks in force."""

    upstream: TrustedUpstream
    clocks: configuration.Clocks


def choose(db: Db, upstream_id: str) -> Chosen:
    """Return an upstream a try may begin at; raise LoginPaused, NotFound."""
    return Chosen(upstreams.trusted(db, upstream_id), configuration.current(db).clocks)


def callback_of(database: Database, upstream_id: str) -> str:
    """Return the one address an upstream's browsers come back to."""
    return f"{database.settings.issuer}/login/{upstream_id}/callback"


def begin(
    federation: Federation,
    upstream_id: str,
    *,
    browser: str,
    flow_id: str | None,
    purpose: str = "sign_in",
    account_id: str | None = None,
    session_id: str | None = None,
    max_age: int | None = None,
    login_hint: str | None = None,
    another: bool = False,
    chosen: Chosen | None = None,
) -> SendBrowser:
    """Begin a try; return where the browser goes. Raises LoginPaused, UpstreamRefused, NotFound.

    `chosen`: the upstream, where the caller has just asked for it in a transaction of its own.
    """
    if chosen is None:
        with transaction(federation.database) as db:
            chosen = choose(db, upstream_id)
    attempt = trying(federation.database, chosen, clock.now(), max_age=max_age, login_hint=login_hint, another=another)
    try:
        send = ask(federation, attempt)
    except (OutboundFailed, AnswerRefused) as problem:
        _fail(federation, chosen.upstream, problem.reason, flow_id, problem)
    begun = pending.begun(
        federation.database.ring,
        attempt,
        browser=browser,
        flow_id=flow_id,
        ends=attempt.now + chosen.clocks.flow,
        purpose=purpose,
        account_id=account_id,
        session_id=session_id,
    )
    with transaction(federation.database) as db:
        drive(db, pending.insert(begun))
    return send


def trying(
    database: Database,
    chosen: Chosen,
    now: datetime,
    *,
    max_age: int | None = None,
    login_hint: str | None = None,
    another: bool = False,
) -> Try:
    """Return a new try at an upstream, with secrets of its own."""
    return Try(
        upstream=chosen.upstream,
        callback=callback_of(database, chosen.upstream.id),
        state=entropy.token(),
        nonce=entropy.token(),
        verifier=entropy.token(48),
        started_at=now,
        now=now,
        leeway=chosen.clocks.leeway,
        keep=chosen.clocks.upstream_metadata,
        max_age=max_age,
        login_hint=login_hint,
        another=another,
    )


def ask(federation: Federation, attempt: Try) -> SendBrowser:
    """Return where a try sends the browser; raises OutboundFailed, AnswerRefused."""
    with federation.breaker.call(attempt.upstream.id):
        return federation.connector(attempt.upstream.kind).begin(attempt)


def store_answer(db: Db, upstream_id: str, fields: Mapping[str, str]) -> bool:
    """Keep a cross-site form post (which brings no cookies) until the browser comes by itself.

    Only the first one for a live try of this upstream is kept.
    """
    return bool(drive(db, pending.keep_answer(of(db).ring, upstream_id, fields)))


def finish(federation: Federation, upstream_id: str, fields: Mapping[str, str], *, browser: str | None) -> Finished:
    """Finish a try with what the browser brought back. Raises ReturnRefused, LoginPaused, UpstreamRefused, Declined."""
    with transaction(federation.database) as db:
        now = clock.now()
        state = fields.get("state", "")
        tried = pending.judged(drive(db, pending.find(state)) if state else None, upstream_id, browser, now)
        if not drive(db, pending.spend(tried, now)):
            raise ReturnRefused("state_replayed")
        chosen = choose(db, upstream_id)
    return proved(federation, chosen, tried, fields)


def proved(federation: Federation, chosen: Chosen, tried: Pending, fields: Mapping[str, str]) -> Finished:
    """Prove what the browser brought back to a try that is used up. Raises UpstreamRefused, Declined.

    No transaction is open: the upstream is asked here.
    """
    database, upstream = federation.database, chosen.upstream
    answer = pending.answer_of(database.ring, tried, fields)
    connector = federation.connector(upstream.kind)
    said = connector.answered_by(answer)
    if said is not None and said != upstream.issuer:  # RFC 9207 2.4: before anything else is looked at
        _fail(federation, upstream, "issuer_mixed_up", tried.flow_id)
    attempt = Try(
        upstream=upstream,
        callback=callback_of(database, upstream.id),
        state=fields["state"],
        nonce=tried.nonce,
        verifier=pending.verifier_of(database.ring, tried),
        started_at=clock.from_micros(tried.created_at),
        now=clock.now(),
        leeway=chosen.clocks.leeway,
        keep=chosen.clocks.upstream_metadata,
        max_age=tried.max_age,
    )
    try:
        with federation.breaker.call(upstream.id):
            assertion = connector.finish(attempt, answer)
    except AnswerRefused as problem:
        if problem.reason == "declined":
            raise Declined(
                f"{upstream.display_name} did not sign you in. You can try again or choose another way.",
                page="login/upstream_failed.html",
                context={
                    "organization": upstream.display_name,
                    "flow_id": tried.flow_id,
                    "since": None,
                    "upstream_id": upstream.id,
                },
            ) from problem
        _fail(federation, upstream, problem.reason, tried.flow_id, problem)
    except OutboundFailed as problem:
        _fail(federation, upstream, problem.reason, tried.flow_id, problem)
    return Finished(assertion, tried.flow_id, tried.purpose, tried.account_id, tried.session_id)


def _fail(
    federation: Federation, upstream: TrustedUpstream, reason: str, flow_id: str | None, cause: Exception | None = None
) -> NoReturn:
    """Say that the organization's login did not work, and what else there is; the cause goes to the log alone."""
    event = Event("federation.upstream.failed", outcome="failed", reason=reason, details={"upstream": upstream.id})
    name, since = upstream.display_name, federation.breaker.down_since(upstream.id)
    if since is not None or reason == "crowded":
        sentence = f"{name} is busy or not answering. Try again in a moment, or choose another way to sign in."
    else:
        sentence = (
            f"{name} sent an answer we can't accept, so you were not signed in. "
            "Try again, or choose another way to sign in."
        )
    with transaction(federation.database):
        raise UpstreamRefused(
            sentence,
            upstream=upstream.id,
            cause=reason,
            then=(partial(log.record, event=event),),
            page="login/upstream_failed.html",
            context={"organization": name, "flow_id": flow_id, "since": since, "upstream_id": upstream.id},
        ) from cause
