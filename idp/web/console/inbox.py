"""The inbox over the API: applications, requests for access, changes that wait for a second manager."""

from typing import Any

from fastapi import Response

from idp.errors import Invalid
from idp.registration import applications
from idp.wam import delegation_requests, dual_control, emergency_open, requests
from idp.web.boundary import Transaction
from idp.web.console.bodies import Decision, SecondWord
from idp.web.console.caller import Manages, Sees
from idp.web.console.once import TheOnce
from idp.web.console.people import receipt_of
from idp.web.console.routing import part
from idp.web.manager import inviting
from idp.web.manager.guard import lines_of

router = part()


@router.get("/inbox")
def inbox(db: Transaction, acting: Sees) -> dict[str, Any]:
    """List what waits for a decision in the lines this person manages; `more` where the oldest 200 are not all."""
    lines, provider = lines_of(db, acting), acting.provider
    applied, asked = applications.waiting_at(db, provider, lines), requests.waiting_at(db, provider.id, lines)
    companies = delegation_requests.named(db, delegation_requests.waiting_at(db, provider, lines))
    used = emergency_open.waiting(db, provider.id, lines, by=acting.visitor.account.id)
    return {
        "more": max(len(applied), len(asked), len(companies), len(used)) >= requests.MOST_SHOWN,
        "emergencies": [
            {
                "emergency": one.id,
                "account": one.account_id,
                "line": one.line,
                "functions": list(one.functions),
                "reason": one.reason,
                "since": one.starts_at,
                "ends_at": one.ended_at or one.ends_at,
                "due_at": one.due_at,
                "verdict": one.verdict,
            }
            for one in used
        ],
        "applications": [
            {
                "application": one.id,
                "account": one.account_id,
                "line": one.line,
                "works_as": one.capacity,
                "bundle": one.bundle,
                "since": one.created_at,
            }
            for one in applied
        ],
        "requests": [
            {
                "request": one.id,
                "account": one.account_id,
                "line": one.line,
                "function": one.entitlement,
                "note": one.note,
                "since": one.created_at,
                "expires_at": one.expires_at,
            }
            for one in asked
        ],
        "delegation_requests": [
            {
                "delegation_request": one.id,
                "company": one.partner_id,
                "name": name,
                "functions": list(one.entitlements),
                "lines": list(one.lines),
                "note": one.note,
                "ends_at": one.ends_at,
                "since": one.created_at,
                "expires_at": one.expires_at,
            }
            for one, name in companies
        ],
        "held_changes": [
            {
                "held_change": one.id,
                "account": one.account_id,
                "line": one.line,
                "function": one.entitlement,
                "asked_by": one.asked_by,
                "begins_at": dual_control.begins(db, one),
                "expires_at": one.expires_at,
            }
            for one in dual_control.waiting(db, provider.id, lines)
        ],
    }


@router.post("/requests/{x}/decision")
def decide_request(db: Transaction, acting: Manages, once: TheOnce, x: str, body: Decision) -> Response:
    """Approve or deny a request for access; the first decision holds."""

    def work() -> dict[str, Any]:
        found, by = requests.find(db, x[:64], acting.provider.id, lines_of(db, acting)), acting.visitor.account.id
        if body.works_as is not None or body.bundle is not None:
            raise Invalid(fields={"bundle": "A request names its function; only its end can be altered."})
        if body.answer == "approve":
            made = requests.approve(db, found, by=by, ends_at=body.ends_at, form_id=once.form_id(acting))
            return {"request": found.id, "status": found.status, "receipt": receipt_of(made)}
        requests.deny(db, found, by=by, reason=body.reason)
        return {"request": found.id, "status": found.status, "receipt": None}

    return once.answer(db, acting, work)


@router.post("/applications/{x}/decision")
def decide_application(db: Transaction, acting: Manages, once: TheOnce, x: str, body: Decision) -> Response:
    """Let a person who applied work for the practice, as asked or altered, or deny it; the first decision holds."""

    def work() -> dict[str, Any]:
        provider, by = acting.provider, acting.visitor.account.id
        found = applications.of_practice(db, x[:64], provider, lines_of(db, acting))
        if body.answer == "deny":
            applications.deny(db, found, provider, by=by, reason=body.reason)
        else:
            bundle = body.bundle or found.bundle
            allowed = {} if found.route == "third_party" else inviting.jobs(db, acting, found.line)
            if bundle and bundle not in allowed:
                raise Invalid(fields={"bundle": "Choose one of the jobs this practice can give."})
            choice = applications.Choice(body.works_as or found.capacity, body.ends_at or found.ends_at, bundle)
            applications.approve(db, found, provider, by=by, choice=choice)
        return {"application": found.id, "status": found.status}

    return once.answer(db, acting, work)


@router.post("/held-changes/{x}/decision")
def decide_held(db: Transaction, acting: Manages, once: TheOnce, x: str, body: SecondWord) -> Response:
    """Confirm what another manager asked for, or refuse it; begins a day after it was asked at the earliest."""

    def work() -> dict[str, Any]:
        held = dual_control.find(db, x[:64], acting.provider.id, lines_of(db, acting))
        by = acting.visitor.account.id
        if body.answer == "refuse":
            dual_control.refuse(db, held, by=by)
            return {"held_change": held.id, "status": held.status, "grant": None, "begins_at": None}
        made = dual_control.confirm(db, held, by=by)
        return {"held_change": held.id, "status": held.status, "grant": made.id, "begins_at": made.not_before}

    return once.answer(db, acting, work)
