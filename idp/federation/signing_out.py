"""A person who signed out here goes on to sign out at the organization their session came from.

The session here has ended before; nothing that comes back can open or end one. The journey (`accounts/flows.py`)
remembers whose session it was, for this browser alone, and what the organization answered.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from sqlmodel import Session as Db

from idp import clock, configuration, entropy
from idp.accounts import flows
from idp.accounts.tables import Flow, Login, Session
from idp.audit import log
from idp.audit.events import Event
from idp.database import of, reading, transaction
from idp.errors import NotFound, Refused
from idp.federation import hearing, logout, upstreams
from idp.federation.contract import AnswerRefused, Leaving, SendBrowser, Told, TrustedUpstream
from idp.federation.flow import Federation
from idp.outbound import OutboundFailed

_FACT, _OUTCOME = "leaves", "left"


class AnswerNotAccepted(Refused):
    """What an organization answered to a sign-out must not be believed; the session here has ended all the same."""

    status = 400
    code = "invalid_request"
    title = "You are signed out here"

    def __init__(self, upstream: TrustedUpstream, reason: str) -> None:
        super().__init__(
            f"We can't accept what {upstream.display_name} answered, so you may still be signed in there. "
            "Open its own pages and sign out, or close this browser.",
            then=(logout.refused(upstream, reason),),
        )


@dataclass(frozen=True, slots=True)
class There:
    """The organization a person may sign out at too."""

    flow_id: str
    display_name: str
    outcome: str | None
    """What it answered: `all` ended, `part` of it; None before an answer."""


def begin(db: Db, session: Session, browser: str) -> str | None:
    """Remember where a session that is being signed out came from; return the journey, None for a login of ours."""
    login = db.get(Login, session.login_id)
    if login is None or login.upstream_id is None:
        return None
    flow = flows.begin(db, browser=browser, target="/signed-out")
    begun = {"session": session.id, "upstream": login.upstream_id, "request": f"_{entropy.token()}"}
    flows.note(db, flow, _FACT, {**begun, "at": clock.iso(clock.now())})
    return flow.id


def offered(federation: Federation, flow_id: str, browser: str | None) -> There | None:
    """Return where this browser can sign out too, or what came of it; asks nobody but the database."""
    with reading(federation.database) as db:
        try:
            flow = flows.find(db, flow_id, browser)
            leaving = _leaving(federation, db, flow)
        except (flows.FlowLost, upstreams.LoginPaused, NotFound):
            return None
    upstream, outcome = leaving.told.upstream, flow.facts.get(_OUTCOME)
    try:
        possible = outcome is not None or federation.connector(upstream.kind).signs_out(leaving.told)
    except AnswerRefused:
        possible = False
    return There(flow_id, upstream.display_name, outcome) if possible else None


def send(federation: Federation, flow_id: str, browser: str | None) -> SendBrowser | None:
    """Return where the browser goes to sign out there; None where the organization cannot be asked.

    Raises FlowLost, LoginPaused, NotFound. No transaction is open while metadata are fetched.
    """
    with reading(federation.database) as db:
        leaving = _leaving(federation, db, flows.find(db, flow_id, browser))
    upstream = leaving.told.upstream
    try:
        with federation.breaker.call(upstream.id):
            goes = federation.connector(upstream.kind).sign_out(leaving)
    except (AnswerRefused, OutboundFailed):
        return None
    if goes is not None:
        with transaction(federation.database) as db:
            log.record(db, Event("federation.logout.sent", details={"upstream": upstream.id}))
    return goes


def answered(federation: Federation, upstream_id: str, token: str, reference: str | None) -> str:
    """Verify an organization's answer, keep it in the journey and return that journey's id.

    The page that shows it asks for the browser. Raises AnswerNotAccepted, LoginPaused, NotFound.
    """
    with reading(federation.database) as db:
        upstream = upstreams.trusted(db, upstream_id)
        flow = db.get(Flow, reference) if reference and reference.isprintable() else None
        leaving = None
        if (
            flow is not None
            and clock.now() < flow.expires_at
            and flow.facts.get(_FACT, {}).get("upstream") == upstream_id
        ):
            leaving = _leaving(federation, db, flow)
    if leaving is None:
        _refuse(federation, upstream, "not_asked")
    try:
        with federation.breaker.call(upstream_id):
            everything = federation.connector(upstream.kind).sign_out_answered(leaving, token)
    except (AnswerRefused, OutboundFailed) as problem:
        _refuse(federation, upstream, problem.reason)
    outcome = "all" if everything else "part"
    with transaction(federation.database) as db:
        flow = db.get(Flow, leaving.reference)
        assert flow is not None
        if not hearing.first_time(db, upstream_id, leaving.request, flow.expires_at):
            raise AnswerNotAccepted(upstream, "replayed")
        flows.note(db, flow, _OUTCOME, outcome)
        details = {"upstream": upstream_id, "ended": outcome}
        log.record(db, Event("federation.logout.answered", details=details))
    return leaving.reference


def _refuse(federation: Federation, upstream: TrustedUpstream, reason: str) -> NoReturn:
    with transaction(federation.database):
        raise AnswerNotAccepted(upstream, reason)


def _leaving(federation: Federation, db: Db, flow: Flow) -> Leaving:
    """Return what a connector needs. Raises NotFound for another journey, LoginPaused."""
    begun = flow.facts.get(_FACT)
    session = db.get(Session, begun["session"]) if begun is not None else None
    login = db.get(Login, session.login_id) if session is not None else None
    if begun is None or session is None or login is None or login.subject is None:
        raise NotFound
    clocks = configuration.current(db).clocks
    upstream = upstreams.trusted(db, begun["upstream"])
    return Leaving(
        told=Told(upstream, clock.now(), clocks.leeway, clocks.upstream_metadata),
        reference=flow.id,
        request=begun["request"],
        begun_at=datetime.fromisoformat(begun["at"]),
        subject=login.subject,
        sid=session.upstream_sid,
        come_back=f"{of(db).settings.issuer}/signed-out",
    )
