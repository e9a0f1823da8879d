"""Get back in (RU-8, ui.md 3.7): which account, first proof, second proof, new password, done.

Until a proof was right every page is the same for every name. All of it works without JavaScript.
"""

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from sqlmodel import Session as Db

from idp import configuration
from idp.accounts import (
    password_rules,
    password_words,
    passwords,
    recovered,
    recovery,
    recovery_passkey,
    second_factor,
)
from idp.accounts.ceremonies import PasskeyRefused
from idp.accounts.proof_tables import Recovery
from idp.database import transaction
from idp.errors import Invalid, TooMany
from idp.web import cookies, pages
from idp.web.boundary import TheService, Transaction, service_of
from idp.web.forms import TheForm
from idp.web.guards import open_to_anyone

router = APIRouter()
_ANYONE = "people come here who can't sign in; nothing is told and nothing done before two proofs"
STEPS = ("Which account", "First proof", "Second proof", "New password", "Done")


@router.get("/recover")
@open_to_anyone(_ANYONE)
def which(request: Request) -> Response:
    """Ask for the user name or a notice address, and say what will happen."""
    pages.browser_of(request)
    return pages.page(request, "recover/which.html", steps_of=STEPS)


@router.post("/recover")
@open_to_anyone(_ANYONE)
def begin(request: Request, db: Transaction, form: TheForm) -> Response:
    """Begin; whatever was typed, the same page follows (security.md 9)."""
    typed = form.get("username", "").strip()
    if not typed or len(typed) > 254:
        fields = {"username": "Enter your user name or e-mail."}
        raise Invalid(fields=fields, page="recover/which.html", context={"steps_of": STEPS})
    device = cookies.read(request, service_of(request).settings, cookies.DEVICE)
    row = recovery.begin(db, typed, browser=pages.browser_of(request), device_secret=device)
    return pages.go(request, _at("/recover/proof", row))


def _at(path: str, row: Recovery) -> str:
    return f"{path}?{urlencode({'attempt': row.id})}"


def _found(request: Request, db: Db, attempt: str) -> Recovery:
    return recovery.find(db, attempt, cookies.read(request, service_of(request).settings, cookies.FLOW))


def _proof_facts(request: Request, db: Db, row: Recovery) -> dict[str, Any]:
    return {
        "passkey": recovery_passkey.form(db, row, browser=pages.browser_of(request)),
        "attempt": row.id,
        "standing": recovery.standing(db, row),
        "sent": row.code_wanted_at is not None,
        "asked": row.manager_wanted_at is not None,
        "hours": int(configuration.current(db).clocks.recovery_wait.total_seconds() // 3600),
        "steps_of": STEPS,
    }


@router.get("/recover/proof")
@open_to_anyone(_ANYONE)
def proof(request: Request, db: Transaction, attempt: str = "") -> Response:
    """Ask for the first proof, then for the second; with both, go on."""
    row = _found(request, db, attempt)
    if recovery.standing(db, row).complete:
        return pages.go(request, _at("/recover/finish", row))
    return pages.page(request, "recover/proof.html", **_proof_facts(request, db, row))


@router.post("/recover/code")
@open_to_anyone(_ANYONE)
def want_code(request: Request, db: Transaction, form: TheForm) -> Response:
    """Note that a mailed code is wanted; a job sends it where there is somebody to send it to."""
    row = _found(request, db, form.get("attempt", ""))
    recovery.want_code(db, row)
    return pages.go(request, _at("/recover/proof", row))


@router.post("/recover/manager")
@open_to_anyone(_ANYONE)
def want_manager(request: Request, db: Transaction, form: TheForm) -> Response:
    """Ask the person's access managers to vouch."""
    row = _found(request, db, form.get("attempt", ""))
    recovery.want_manager(db, row)
    return pages.go(request, _at("/recover/proof", row))


@router.post("/recover/proof/{kind}")
@open_to_anyone(_ANYONE)
def prove(request: Request, service: TheService, kind: str, form: TheForm) -> Response:
    """Look at one code, or at the answer of a passkey."""
    with transaction(service.database) as db:
        row = _found(request, db, form.get("attempt", ""))
    if kind not in ("saved", "mailed", "factor", "passkey"):
        raise recovery.Lost
    try:
        if kind == "passkey":
            challenge, answer = form.get("challenge", "")[:400], form.get("answer", "")
            browser = pages.browser_of(request)
            recovery_passkey.prove(service.database, row, browser=browser, challenge=challenge, answer=answer)
        else:
            recovery.prove(service.database, row, kind, form.get(kind, "")[:64])
    except (Invalid, TooMany, PasskeyRefused) as refusal:
        with transaction(service.database) as db:
            refusal.page, refusal.context = "recover/proof.html", _proof_facts(request, db, row)
        raise
    return pages.go(request, _at("/recover/proof", row))


def _finish_facts(db: Db, row: Recovery) -> dict[str, Any]:
    standing = recovery.standing(db, row)
    if not standing.complete or row.account_id is None:
        raise recovery.Lost
    keeps = "factor" in standing.proofs and second_factor.has(db, row.account_id)
    return {
        "attempt": row.id,
        "has_password": standing.has_password,
        "keeps": keeps,
        "least": password_rules.WITH_FACTOR if keeps else password_rules.ALONE,
        "steps_of": STEPS,
    }


@router.get("/recover/finish")
@open_to_anyone(_ANYONE)
def finish_page(request: Request, db: Transaction, attempt: str = "") -> Response:
    """Ask for a new password, and say what ends."""
    return pages.page(request, "recover/finish.html", **_finish_facts(db, _found(request, db, attempt)))


@router.post("/recover/finish")
@open_to_anyone(_ANYONE)
def finish(request: Request, service: TheService, form: TheForm) -> Response:
    """Let the person back in; the password is hashed before the transaction that does it."""
    new = form.get("new_password", "")
    with transaction(service.database) as db:
        row = _found(request, db, form.get("attempt", ""))
        facts = _finish_facts(db, row)
        rules = configuration.current(db)
        assert row.account_id is not None
        about = password_words.about(db, row.account_id)
    hashed = None
    if facts["has_password"]:
        try:
            password_rules.check(new, with_factor=facts["keeps"], about=about, field="new_password")
            hashed = passwords.hashed(service.database.ring, new, rules.passwords)
        except (Invalid, TooMany) as refusal:
            refusal.page, refusal.context = "recover/finish.html", facts
            raise
    with transaction(service.database) as db:
        ended = recovered.finish(db, row, hashed)
    response = pages.page(request, "recover/done.html", ended=ended, **facts)
    cookies.drop(response, service.settings, cookies.SESSION)
    return response


@router.get("/recover/stop/{secret}")
@open_to_anyone("whoever holds the link of the mail may stop; looking stops nothing")
def stop_page(request: Request, secret: str) -> Response:
    """Ask whether to stop."""
    return pages.page(request, "recover/stop.html", secret=secret[:200], stopped=None)


@router.post("/recover/stop/{secret}")
@open_to_anyone("whoever holds the link of the mail may stop")
def stop(request: Request, db: Transaction, secret: str, form: TheForm) -> Response:
    """Stop every attempt of the account the link belongs to."""
    stopped = recovery.stop(db, secret[:200])
    return pages.page(request, "recover/stop.html", secret=secret[:200], stopped=stopped)
