"""Begin and finish a sign-in at an upstream: state, single use, browser binding, mix-up defence, standing.

Once for all protocols. No transaction is open while an upstream is waited for.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import NoReturn

import orjson
from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col

from idp import clock, configuration, entropy
from idp.accounts.assertion import Assertion
from idp.accounts.flows import browser_hash
from idp.audit import log
from idp.audit.events import Event
from idp.database import Database, of, transaction
from idp.errors import NotFound, Refused, UpstreamRefused
from idp.federation import upstreams
from idp.federation.breaker import Breaker
from idp.federation.contract import AnswerRefused, BrowserAnswer, Connector, SendBrowser, TrustedUpstream, Try
from idp.federation.tables import PendingLogin
from idp.outbound import Outbound, OutboundFailed


class ReturnRefused(Refused):
    """The browser came back with a try we do not know, that is over, or that began in another browser."""

    status = 400
    code = "return_refused"
    title = "This sign-in can't go on here"

    def __init__(self, reason: str) -> None:
        event = Event("accounts.login.refused", outcome="refused", reason=reason)
        super().__init__(
            "This sign-in was used already, took too long, or was started in another browser. Start again here.",
            then=(partial(log.record, event=event),),
        )


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
            if kind not in upstreams.kinds():
                raise NotFound
            module = importlib.import_module(f"idp.federation.connectors.{kind}")
            self._connectors[kind] = getattr(module, kind.capitalize())(self.outbound)
        return self._connectors[kind]


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
    upstream, clocks = chosen.upstream, chosen.clocks
    now = clock.now()
    attempt = Try(
        upstream=upstream,
        callback=callback_of(federation.database, upstream_id),
        state=entropy.token(),
        nonce=entropy.token(),
        verifier=entropy.token(48),
        started_at=now,
        now=now,
        leeway=clocks.leeway,
        keep=clocks.upstream_metadata,
        max_age=max_age,
        login_hint=login_hint,
        another=another,
    )
    try:
        with federation.breaker.call(upstream_id):
            send = federation.connector(upstream.kind).begin(attempt)
    except (OutboundFailed, AnswerRefused) as problem:
        _fail(federation, upstream, problem.reason, flow_id, problem)
    hashed = _hash(attempt.state)
    with transaction(federation.database) as db:
        db.add(
            PendingLogin(
                state_hash=hashed,
                upstream_id=upstream_id,
                flow_id=flow_id,
                browser_hash=browser_hash(browser),
                nonce=attempt.nonce,
                verifier=of(db).ring.seal("upstreams", _place(hashed, "verifier"), attempt.verifier.encode()),
                purpose=purpose,
                account_id=account_id,
                session_id=session_id,
                max_age=max_age,
                expires_at=now + clocks.flow,
            )
        )
    return send


def store_answer(db: Db, upstream_id: str, fields: Mapping[str, str]) -> bool:
    """Keep a cross-site form post (which brings no cookies) until the browser comes by itself.

    Only the first one for a live try of this upstream is kept.
    """
    hashed = _hash(fields.get("state", ""))
    sealed = of(db).ring.seal("upstreams", _place(hashed, "answer"), orjson.dumps(dict(fields)))
    kept = db.execute(
        update(PendingLogin)
        .where(
            col(PendingLogin.state_hash) == hashed,
            col(PendingLogin.upstream_id) == upstream_id,
            col(PendingLogin.answer).is_(None),
            col(PendingLogin.spent_at).is_(None),
        )
        .values(answer=sealed)
    )
    assert isinstance(kept, CursorResult)
    return kept.rowcount == 1


def finish(federation: Federation, upstream_id: str, fields: Mapping[str, str], *, browser: str | None) -> Finished:
    """Finish a try with what the browser brought back. Raises ReturnRefused, LoginPaused, UpstreamRefused, Declined."""
    with transaction(federation.database) as db:
        pending, answer = _spend(db, upstream_id, fields, browser)
        upstream = upstreams.trusted(db, upstream_id)
        connector = federation.connector(upstream.kind)
        verifier = of(db).ring.open("upstreams", _place(pending.state_hash, "verifier"), pending.verifier).decode()
        clocks = configuration.current(db).clocks
    said = connector.answered_by(answer)
    if said is not None and said != upstream.issuer:  # RFC 9207 2.4: before anything else is looked at
        _fail(federation, upstream, "issuer_mixed_up", pending.flow_id)
    attempt = Try(
        upstream=upstream,
        callback=callback_of(federation.database, upstream_id),
        state=fields["state"],
        nonce=pending.nonce,
        verifier=verifier,
        started_at=pending.created_at,
        now=clock.now(),
        leeway=clocks.leeway,
        keep=clocks.upstream_metadata,
        max_age=pending.max_age,
    )
    try:
        with federation.breaker.call(upstream_id):
            assertion = connector.finish(attempt, answer)
    except AnswerRefused as problem:
        if problem.reason == "declined":
            raise Declined(
                f"{upstream.display_name} did not sign you in. You can try again or choose another way.",
                page="login/upstream_failed.html",
                context={
                    "organization": upstream.display_name,
                    "flow_id": pending.flow_id,
                    "since": None,
                    "upstream_id": upstream.id,
                },
            ) from problem
        _fail(federation, upstream, problem.reason, pending.flow_id, problem)
    except OutboundFailed as problem:
        _fail(federation, upstream, problem.reason, pending.flow_id, problem)
    return Finished(assertion, pending.flow_id, pending.purpose, pending.account_id, pending.session_id)


def _spend(
    db: Db, upstream_id: str, fields: Mapping[str, str], browser: str | None
) -> tuple[PendingLogin, BrowserAnswer]:
    state = fields.get("state", "")
    pending = db.get(PendingLogin, _hash(state)) if state else None
    if pending is None or pending.upstream_id != upstream_id:
        raise ReturnRefused("state_unknown")
    if browser is None or pending.browser_hash != browser_hash(browser):
        raise ReturnRefused("state_of_another_browser")
    now = clock.now()
    if now >= pending.expires_at:
        raise ReturnRefused("state_expired")
    spent = db.execute(
        update(PendingLogin)
        .where(col(PendingLogin.state_hash) == pending.state_hash, col(PendingLogin.spent_at).is_(None))
        .values(spent_at=now)
    )
    assert isinstance(spent, CursorResult)
    if spent.rowcount != 1:
        raise ReturnRefused("state_replayed")
    if pending.answer is not None:
        clear = of(db).ring.open("upstreams", _place(pending.state_hash, "answer"), pending.answer)
        return pending, BrowserAnswer(orjson.loads(clear), posted=True)
    return pending, BrowserAnswer(fields)


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


def _hash(state: str) -> bytes:
    return sha256(state.encode()).digest()


def _place(state_hash: bytes, column: str) -> str:
    return f"pending_login.{column}:{state_hash.hex()}"
