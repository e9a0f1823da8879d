"""Signing in with another organization's login: out to it, and back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from idp.accounts import flows, linking, login
from idp.accounts.flows import Kept
from idp.accounts.tables import Flow
from idp.database import transaction
from idp.database.lane import Work, drive
from idp.errors import Refused, UpstreamRefused
from idp.federation import flow as federation_flow
from idp.federation import offers, upstreams
from idp.federation.contract import SendBrowser
from idp.federation.pending import ReturnRefused
from idp.web import cookies, pages
from idp.web.boundary import Service, TheService, service_of
from idp.web.guards import open_to_anyone, visitor
from idp.web.signing_in import (
    address,
    asked,
    browser_facts,
    came_in,
    enter,
    federation_of,
    journey,
    journey_to,
    must_be_signed_in,
    onward,
    who,
)

router = APIRouter()
_LONGEST = 4096
_LONGEST_POSTED = 60_000
"""Characters of one field; a SAML response is long, and a form is bounded as a whole besides."""


@router.get("/login/{upstream}")
@open_to_anyone("people come here to sign in at their organization")
def leave(request: Request, service: TheService, upstream: str, flow: str = "") -> Response:
    """Send the browser to the organization's own sign-in; no transaction is open while it is asked."""
    with other_ways(request, service, upstream):
        with transaction(service.database) as db:
            here = journey(request, db, flow) if flow else journey_to(request, db, "/account")
            hint: str | None = drive(db, hint_for(here, upstream))
            chosen = federation_flow.choose(db, upstream)
        send = federation_flow.begin(
            federation_of(service),
            upstream,
            chosen=chosen,
            browser=pages.browser_of(request),
            flow_id=here.id,
            login_hint=hint,
            max_age=age_asked(here),
        )
    return send_browser(request, send)


def hint_for(here: Flow | Kept, upstream_id: str) -> Work:
    """Answer the address typed, for the organization whose domain it is, in either lane; nobody else is told it."""
    typed = str(here.facts.get("identifier", ""))
    if "@" not in typed:
        return None
    found: offers.Offer | None = yield from offers.at_domain(typed)
    return typed if found is not None and found.id == upstream_id else None


@contextmanager
def other_ways(request: Request, service: Service, upstream_id: str) -> Iterator[None]:
    """Name the person's other logins on a page that says theirs does not work: only where they are signed in.

    To a stranger the page says the same for every address, account or not (security.md 9).
    """
    try:
        yield
    except (UpstreamRefused, upstreams.LoginPaused) as refusal:
        known = who(request)
        if known is not None:
            with transaction(service.database) as db:
                works, names = linking.usable(db, known.account.id), upstreams.names(db)
                others = [o for o in linking.logins(db, known.account.id) if o.id in works]
                refusal.context["others"] = [
                    names.get(o.upstream_id or "", "your user name and password")
                    for o in others
                    if o.upstream_id != upstream_id
                ]
        raise


def age_asked(here: Flow | Kept) -> int | None:
    """Return the age the app asked for, so that the organization authenticates anew where it must."""
    prompt, age = asked(here, "prompt"), asked(here, "max_age")
    if prompt is not None and "login" in prompt.split():
        return 0
    return int(age) if age is not None and age.isascii() and age.isdigit() and len(age) < 9 else None


@router.get("/account/logins/add/{upstream}")
@open_to_anyone("requires a session itself: no transaction may be open while the upstream is asked")
def add(request: Request, service: TheService, upstream: str) -> Response:
    """Send a signed-in person, who has just confirmed who they are, to the login they want to add."""
    by = must_be_signed_in(request)
    with transaction(service.database) as db:
        linking.require_fresh_proof(db, by.session)
        here = journey_to(request, db, "/account/logins")
        mine = {one.upstream_id for one in linking.logins(db, by.account.id)}
    with other_ways(request, service, upstream):
        send = federation_flow.begin(
            federation_of(service),
            upstream,
            browser=pages.browser_of(request),
            flow_id=here.id,
            purpose="link",
            account_id=by.account.id,
            session_id=by.session.id,
            another=upstream in mine,
        )
    return send_browser(request, send)


def send_browser(request: Request, send: SendBrowser) -> Response:
    """Send the browser where a protocol wants it: by redirect, or by a page with a form."""
    if send.method == "GET":
        return pages.go(request, send.url)
    return pages.page(request, "login/send.html", send=send, form_action=send.url.partition("?")[0])


async def posted(request: Request) -> dict[str, str]:
    """Return the fields of a form another site's page posted here; without duplicates, of bounded size."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused("Send this as a form.", code="wrong_content_type")
    items = (await request.form(max_files=0, max_fields=50, max_part_size=_LONGEST_POSTED)).multi_items()
    fields = once(items, longest=_LONGEST_POSTED)
    if "RelayState" in fields and "state" not in fields:  # SAML's name for it (Bindings 3.5.3)
        fields["state"] = fields["RelayState"]
    return fields


def once(items: Sequence[tuple[str, object]], longest: int = _LONGEST) -> dict[str, str]:
    """Return the fields of an answer, none of them twice or too long; raise Refused."""
    fields: dict[str, str] = {}
    for name, value in items:
        if name in fields or not isinstance(value, str) or len(value) > longest or "\x00" in value:
            raise Refused("Your organization's answer could not be read. Start again here.", code="unreadable_answer")
        fields[name] = value
    return fields


@router.post("/login/{upstream}/callback")
@open_to_anyone("the organization's page posts here; the browser then comes by itself, with its cookie")
def posted_back(
    request: Request, service: TheService, upstream: str, fields: Annotated[dict[str, str], Depends(posted)]
) -> Response:
    """Keep a posted answer and have the browser come back by GET (decisions.md 10)."""
    with transaction(service.database) as db:
        if not federation_flow.store_answer(db, upstream, fields):
            raise ReturnRefused("state_unknown")
    return pages.go(request, f"/login/{upstream}/callback?{urlencode({'state': fields['state']})}")


@router.get("/login/{upstream}/callback")
@open_to_anyone("people come back here from their organization")
def back(request: Request, service: TheService, upstream: str) -> Response:
    """Finish the sign-in: the one account with this login, or the page that asks how to go on."""
    fields = once(list(request.query_params.multi_items()))
    browser = cookies.read(request, service.settings, cookies.FLOW)
    with other_ways(request, service, upstream):
        finished = federation_flow.finish(federation_of(service), upstream, fields, browser=browser)
    if finished.purpose == "link":
        return _held_for(request, service, finished)
    return arrived(request, upstream, finished)


def arrived(request: Request, upstream: str, finished: federation_flow.Finished) -> Response:
    """Let in who has proved a login elsewhere, or lead them to the page that asks how to go on."""
    service = service_of(request)
    browser = cookies.read(request, service.settings, cookies.FLOW)
    with transaction(service.database) as db:
        present = visitor(request, db)
        # Asked again: the standing, or what the organization says of this person, may have changed while we waited.
        upstreams.trusted(db, upstream, subject=finished.assertion.subject)
        here = journey(request, db, finished.flow_id or "")
        signed_in = login.by_assertion(
            db,
            finished.assertion,
            browser=browser_facts(request),
            replaces=present.session if present else None,
        )
        if signed_in is None:
            held = linking.hold(db, finished.assertion, browser=browser or "", flow_id=here.id)
            flows.note(db, here, "link", held.id)
            if "registration" in here.facts:
                return pages.go(request, f"/register/login?r={here.facts['registration']}")
            where = "/invitations/confirm" if "invitation" in here.facts else "/link"
            return pages.go(request, address(where, here))
        came_in(db, here, signed_in.session)
        where = onward(db, here, signed_in.session)
    return enter(request, signed_in, where)


def _held_for(request: Request, service: TheService, finished: federation_flow.Finished) -> Response:
    """Hold a login that a signed-in person is adding, for that person's account alone."""
    by = must_be_signed_in(request)
    with transaction(service.database) as db:
        if by.account.id != finished.account_id:
            raise linking.LinkLost
        upstreams.trusted(db, finished.assertion.upstream_id, subject=finished.assertion.subject)
        here = journey(request, db, finished.flow_id or "")
        browser = cookies.read(request, service.settings, cookies.FLOW)
        held = linking.hold(
            db, finished.assertion, browser=browser or "", flow_id=here.id, account_id=finished.account_id
        )
        flows.note(db, here, "link", held.id)
        return pages.go(request, address("/link/confirm", here))
