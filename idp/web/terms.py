"""Terms and attestation: what everybody accepts, and why a person may act."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from idp.accounts import attestations, flows, readiness, terms
from idp.accounts.tables import Flow, TermsDocument
from idp.errors import Invalid
from idp.notices import outbox
from idp.web import pages
from idp.web.boundary import Transaction
from idp.web.forms import TheForm
from idp.web.guards import SignedIn, Visitor
from idp.web.signing_in import address, journey, journey_to, onward, shown

router = APIRouter()


@router.get("/terms")
def terms_page(
    request: Request, db: Transaction, by: SignedIn, flow: str = "", where: Annotated[str, Query(alias="next")] = ""
) -> Response:
    """Show the documents this person has yet to accept, in full."""
    if not flow:
        return pages.go(request, address("/terms", journey_to(request, db, where)))
    here = journey(request, db, flow)
    open_ones = terms.unaccepted(db, by.account.id)
    if not open_ones:
        flows.complete(db, here, "terms")
        return pages.go(request, onward(db, here, by.session))
    terms.were_shown(db, by.account.id, open_ones, channel=by.session.channel)
    return pages.page(request, "login/terms.html", **_terms(db, here, open_ones))


def _terms(db: Transaction, here: Flow, documents: list[TermsDocument]) -> dict[str, Any]:
    return {"documents": documents, **shown(db, here)}


@router.post("/terms")
def accept(request: Request, db: Transaction, by: SignedIn, form: TheForm) -> Response:
    """Record explicit acceptance of each document, or that the person said no."""
    here = journey(request, db, form.get("flow", ""))
    if form.get("answer") == "decline":
        terms.decline(db, by.account.id, channel=by.session.channel)
        if here.client_id:
            return pages.go(request, address("/oauth/authorize/cancel", here))
        return pages.page(request, "login/declined.html", **shown(db, here))
    documents = terms.unaccepted(db, by.account.id)
    ticked = form.list_of("accept")
    missing = {f"accept-{d.kind}": f"Read and accept: {d.title}." for d in documents if d.id not in ticked}
    if missing:
        raise Invalid(fields=missing, page="login/terms.html", context=_terms(db, here, documents))
    # The ids come from the form: a version published while the person was reading is asked for next.
    accepted = terms.accept(db, by.account.id, [d.id for d in documents], channel=by.session.channel)
    names = " and ".join(f"{d.title}, version {d.version}" for d in accepted)
    outbox.send(db, by.account.id, "terms_accepted", {"documents": names})
    readiness.activate_when_ready(db, by.account.id)
    flows.complete(db, here, "terms")
    return pages.go(request, onward(db, here, by.session))


@router.get("/account/terms")
def my_terms(request: Request, db: Transaction, by: SignedIn) -> Response:
    """Show what this person accepted, and what takes effect soon and may be accepted now."""
    soon = terms.coming(db, by.account.id)
    terms.were_shown(db, by.account.id, soon, channel=by.session.channel)
    held = terms.accepted_by(db, by.account.id)
    return pages.page(request, "account/terms.html", coming=soon, held=held)


@router.post("/account/terms")
def accept_early(request: Request, db: Transaction, by: SignedIn, form: TheForm) -> Response:
    """Accept a version before it takes effect; it then counts for the present one, too (decisions.md 12)."""
    soon = terms.coming(db, by.account.id)
    ticked = [one for one in soon if one.id in form.list_of("accept")]
    if not ticked:
        held = terms.accepted_by(db, by.account.id)
        fields = {f"accept-{one.kind}": f"Read and accept: {one.title}." for one in soon[:1]}
        raise Invalid(fields=fields, page="account/terms.html", context={"coming": soon, "held": held})
    accepted = terms.accept(db, by.account.id, [one.id for one in ticked], channel=by.session.channel)
    names = " and ".join(f"{one.title}, version {one.version}" for one in accepted)
    outbox.send(db, by.account.id, "terms_accepted", {"documents": names})
    return pages.go(request, "/account/terms")


@router.get("/attest")
def attest_page(
    request: Request, db: Transaction, by: SignedIn, flow: str = "", where: Annotated[str, Query(alias="next")] = ""
) -> Response:
    """Ask why this person may act."""
    if not flow:
        return pages.go(request, address("/attest", journey_to(request, db, where)))
    here = journey(request, db, flow)
    if not attestations.renewable(db, by.account.id):
        flows.complete(db, here, "attest")
        return pages.go(request, onward(db, here, by.session))
    return pages.page(request, "login/attest.html", **_attest(db, here, by, {}))


def _attest(db: Transaction, here: Flow, by: Visitor, typed: dict[str, str]) -> dict[str, Any]:
    return {
        "capacities": attestations.CAPACITIES,
        "name": by.account.display_name,
        "typed": {
            "capacity": typed.get("capacity", ""),
            "principal": typed.get("principal", ""),
            "word": typed.get("word", ""),
        },
        **shown(db, here),
    }


@router.post("/attest")
def attest(request: Request, db: Transaction, by: SignedIn, form: TheForm) -> Response:
    """Record the attestation; an invited person's account becomes active with it."""
    here = journey(request, db, form.get("flow", ""))
    fields = {} if form.get("word") else {"word": "Check the box to say that this is true."}
    fields = attestations.problems(form.get("capacity", ""), form.get("principal", "")) | fields
    if fields:
        raise Invalid(fields=fields, page="login/attest.html", context=_attest(db, here, by, form))
    attestations.attest(db, by.account.id, capacity=form.get("capacity", ""), principal=form.get("principal", ""))
    readiness.activate_when_ready(db, by.account.id)
    flows.complete(db, here, "attest")
    return pages.go(request, onward(db, here, by.session))
