"""What waits for a person where they work: at the practices they manage, at the security desk; for their home page.

Whoever manages access or watches over it comes here at the start of the day: what has a due date stands first.
"""

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.cases import asked
from idp.casework import listing
from idp.database import of
from idp.entitlements import appointed
from idp.entitlements.tables import Appointment
from idp.notices import saying
from idp.providers.tables import Provider
from idp.registration import applications
from idp.wam import authority, delegation_requests, dual_control, emergency_open, requests, reviews, roster
from idp.wam.tables import EmergencyUse
from idp.web import frame
from idp.web.manager import views

_MOST = 5
"""Practices that are looked at; who manages more goes by their inboxes."""


def to_do(db: Db, account_id: str) -> list[tuple[str, str]]:
    """Return what waits, as things to do: sentence and address."""
    found = []
    if any(area.key == "security" for area in frame.areas(db, account_id)):
        cases = "/security/cases"
        desk = listing.at_desk(db, by=account_id)
        parts = [f"{desk.new} new"] * bool(desk.new) + [f"{desk.answered} with an answer"] * bool(desk.answered)
        where = "at the security desk" + (f": {', '.join(parts)}" if parts else "")
        found += _said(desk.cases, "case", "cases", where, cases)
        found += _said(desk.appeals, "appeal", "appeals", "at the security desk", f"{cases}?state=appealed")
        second = listing.second_words(db, by=account_id)
        found += [("A case waits for a second person", f"{cases}/{one}") for one in second[:_MOST]]
    for provider in _managed(db, account_id):
        lines = authority.lines_of(db, account_id, provider.id)
        here = f"/p/{provider.id}"
        used = emergency_open.waiting(db, provider.id, lines, by=account_id)
        found += _emergencies(db, provider, used)
        found += _said(
            _in_the_inbox(db, provider, lines, account_id) + len(used),
            "thing",
            "things",
            f"in {provider.name}'s inbox",
            f"{here}/inbox",
        )
        open_reviews = [
            one for one, _, _ in reviews.of_practice(db, provider.id, lines) if one.status in ("open", "missed")
        ]
        found += _said(len(open_reviews), "access review", "access reviews", f"at {provider.name}", f"{here}/reviews")
    return found


def _emergencies(db: Db, provider: Provider, used: list[EmergencyUse]) -> list[tuple[str, str]]:
    """Name the uses of emergency access that run or wait for a review, those due first."""
    zone, names = of(db).settings.time_zone, roster.names_of(db, {use.account_id for use in used})
    return [
        (
            f"{names[use.account_id]} used emergency access at {provider.name}, since "
            f"{saying.moment(use.starts_at, zone)}: "
            + ("judged" if use.reviewed_at else f"look at it by {views.shown(use.due_at, zone)}"),
            f"/p/{provider.id}/emergency/{use.id}",
        )
        for use in used[:_MOST]
    ]


def _said(count: int, one: str, many: str, where: str, address: str) -> list[tuple[str, str]]:
    return [(f"{count} {one if count == 1 else many} {where}", address)] if count else []


def _managed(db: Db, account_id: str) -> list[Provider]:
    mine = select(Appointment.provider_id).where(col(Appointment.account_id) == account_id, appointed.in_force())
    found = select(Provider).where(col(Provider.id).in_(mine)).order_by(col(Provider.name), col(Provider.id))
    return list(db.exec(found.limit(_MOST)).all())


def _in_the_inbox(db: Db, provider: Provider, lines: list[str], account_id: str) -> int:
    open_questions = asked.of_practice(db, provider.id, reader=account_id)
    return (
        len(open_questions)
        + len(applications.waiting_at(db, provider, lines))
        + len(requests.waiting_at(db, provider.id, lines))
        + len(dual_control.waiting(db, provider.id, lines))
        + len(delegation_requests.waiting_at(db, provider, lines))
    )
