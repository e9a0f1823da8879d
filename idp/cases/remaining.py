"""What a case took and what does not come back by itself when the suspicion was wrong: said to each reader (SE-3)."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts import local_logins, moved, second_factor, sessions
from idp.accounts.tables import Account, Login
from idp.cases import context
from idp.cases.tables import CaseAction, SecurityCase
from idp.entitlements import appointed, pauses
from idp.entitlements.tables import Appointment
from idp.providers.tables import Provider

_NEW, _SIGNED_OUT = ("new_credentials", ""), ("end_sessions", "")


@dataclass(frozen=True, slots=True)
class Remains:
    """One thing that stays taken, in the words of each reader, each with whom to ask."""

    desk: str
    person: str
    manager: str
    provider_id: str | None = None
    """The one practice it is about; None for the whole account."""


def of_case(db: Db, case: SecurityCase) -> list[Remains]:
    """Return what the done actions of a case took and what is not back by now, oldest first, each thing once."""
    rows = db.exec(
        select(CaseAction)
        .where(col(CaseAction.case_id) == case.id, col(CaseAction.status) == "done")
        .order_by(col(CaseAction.done_at), col(CaseAction.id))
    ).all()
    who = context.person(db, case)
    last = {(row.kind, row.target): row.done_at for row in rows if row.done_at is not None}
    if case.contained_at is not None:
        last.setdefault(_SIGNED_OUT, case.contained_at)
    found = {key: _one(db, who, *key, at) for key, at in last.items()}
    if found.get(_NEW) is not None:
        found.pop(_SIGNED_OUT, None)  # the one sentence says both
    return [one for one in found.values() if one is not None]


def _one(db: Db, who: str, kind: str, target: str, at: datetime) -> Remains | None:
    if kind in ("new_credentials", "end_sessions"):
        return _way_in(db, who, kind, at)
    if kind in ("pause_access", "end_access"):
        return _at_practice(db, who, kind, target)
    if kind == "end_manager":
        return _manager(db, target)
    if kind == "hold_login":
        login = db.get(Login, target, populate_existing=True)
        if login is None or login.ended_at is not None or login.held_because != moved.SECURITY:
            return None
        return Remains(
            "A login stays paused, because others spoke of it, too: access support looks at it, and lets it in.",
            "One of your logins stays paused for another reason: call us.",
            "One login stays paused for now.",
        )
    status = db.get_one(Account, who, populate_existing=True).status
    if kind == "suspend" and status == "suspended":
        return Remains(
            "The account stays on hold for another reason, such as a report's lock: see the person's page.",
            "Your account stays on hold for another reason: call us.",
            "The account stays on hold for another reason.",
        )
    if kind == "close" and status not in ("active", "suspended"):
        return Remains(
            "The account was ended for good and can't be opened again: help the person to register anew.",
            "Your account was ended, and an ended account can't be opened again: call us, we help you to register.",
            "The account was ended for good. After they have registered anew, give them their access again.",
        )
    return None


def _way_in(db: Db, who: str, kind: str, at: datetime) -> Remains | None:
    """Say what was ended of the way in, until the person is back in: what was stored is gone, nobody can restore it."""
    if kind == "end_sessions":
        if sessions.live_of(db, who):
            return None
        return Remains(
            "The sign-ins that were ended don't come back: the person signs in again, with everything they had.",
            "The sign-ins that were ended don't come back: sign in again, with everything you had.",
            "They sign in again, with everything they had.",
        )
    local = local_logins.of_account(db, who)
    back = local[1].changed_at > at if local is not None else bool(sessions.live_of(db, who))
    if back or second_factor.has(db, who):
        return None
    return Remains(
        "The password and the second steps were ended and can't be given back, what was stored is gone: the person "
        "sets up new ones with two proofs. Who has no recovery code is vouched for by an access manager.",
        "Your password and second steps were ended and can't be given back: choose “I can't sign in” on the sign-in "
        "page and set up new ones. If you have no recovery code, ask an access manager to vouch for you, or call us.",
        "Their password and second steps were ended: they set up new ones, and may ask you to vouch for them.",
    )


def _at_practice(db: Db, who: str, kind: str, provider_id: str) -> Remains | None:
    place = db.get_one(Provider, provider_id).name
    if kind == "pause_access":
        if not pauses.desk_pauses(db, who, provider_id):
            return None
        return Remains(
            f"Access to {place} stays paused: another case wants it, too.",
            f"Your access to {place} stays paused for another reason: call us.",
            "Access to the practice stays paused for another reason.",
            provider_id,
        )
    if provider_id in {one.id for one in context.practices(db, who)}:
        return None
    return Remains(
        f"Access to {place} was ended and does not come back by itself: its access managers give it again.",
        f"Your access to {place} was ended and does not come back by itself: ask an access manager there.",
        "Their access was ended and does not come back by itself: if they work for you, add them again.",
        provider_id,
    )


def _manager(db: Db, appointment_id: str) -> Remains | None:
    ended = db.get_one(Appointment, appointment_id)
    again = db.exec(
        select(Appointment.id).where(
            appointed.in_force(),
            col(Appointment.account_id) == ended.account_id,
            col(Appointment.provider_id) == ended.provider_id,
            col(Appointment.line) == ended.line,
        )
    ).first()
    if again is not None:
        return None
    place = db.get_one(Provider, ended.provider_id).name
    return Remains(
        f"The role of access manager at {place} was ended: another access manager there appoints them again.",
        f"Your role of access manager at {place} was ended: ask another access manager there, or call us.",
        "Their role of access manager was ended: if they are to manage access, appoint them again.",
        ended.provider_id,
    )
