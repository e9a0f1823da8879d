"""What can be done about the person of a case, each in one function: it acts, and says in a few words what it did."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlmodel import Session as Db

from idp import configuration
from idp.accounts import humans, moved, renewal
from idp.accounts.tables import Account, Login
from idp.cases import holds
from idp.cases.tables import CaseAction, SecurityCase
from idp.casework import interim
from idp.entitlements import grants, pauses
from idp.entitlements.grant_rows import Place
from idp.errors import Conflict
from idp.leaving import people
from idp.notices import outbox
from idp.security import reports
from idp.wam import appointments, authority, reviews

BECAUSE = "case"
"""Why, in the records of what was ended; the case itself stands in the record of the action.

Practices read these records: they say nothing of what was suspected."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of action."""

    label: str
    about: str
    """What it is about: `account`, `practice`, `login` or `appointment`."""
    do: Callable[[Db, SecurityCase, CaseAction, str], str]
    takes_authority: bool = False
    """Ends or pauses what the person manages: two people must want it where they manage anything."""
    always_two: bool = False
    ends_presence: bool = False


def _education(db: Db, case: SecurityCase, _action: CaseAction, _by: str) -> str:
    outbox.send(db, _who(db, case), "case_education", {"reference": case.reference})
    return "sent the explanation"


def _end_sessions(db: Db, case: SecurityCase, _action: CaseAction, by: str) -> str:
    people.sign_out(db, _who(db, case), because=BECAUSE, by=by)
    return "ended every session and token"


def _new_credentials(db: Db, case: SecurityCase, _action: CaseAction, by: str) -> str:
    ended = renewal.require_new(db, _who(db, case), by=by, because=BECAUSE)
    people.sign_out(db, _who(db, case), because=BECAUSE, by=by)
    return f"ended the password and every second step; {ended} sessions"


def _hold_login(db: Db, _case: SecurityCase, action: CaseAction, by: str) -> str:
    if not moved.hold_for_security(db, action.target, by=by):
        raise Conflict("This login is paused or was removed already.")
    return "paused the login"


def _release_login(db: Db, _case: SecurityCase, action: CaseAction, by: str) -> str:
    moved.release(db, db.get_one(Login, action.target), by=by, because=BECAUSE)
    return "let the paused login in again"


def _pause_access(db: Db, case: SecurityCase, action: CaseAction, by: str) -> str:
    who = _who(db, case)
    lines = pauses.by_line(db, who, action.target, now_held=authority.not_ended(db, action.target, who))
    if not lines:
        raise Conflict("There is nothing to pause at this practice.")
    for line, keys in lines.items():
        pauses.suspend(db, Place(who, action.target, line), sorted(keys), by=by, reason=pauses.DESK)
    return f"paused {sum(len(keys) for keys in lines.values())} functions"


def _resume_access(db: Db, case: SecurityCase, action: CaseAction, by: str) -> str:
    rows = pauses.desk_pauses(db, _who(db, case), action.target)
    if not rows:
        raise Conflict("Nothing of this person is paused at this practice by the security desk.")
    for row in rows:
        grants.end(db, row, by=by, reason=BECAUSE)
    return f"gave {len(rows)} paused functions back"


def _end_access(db: Db, case: SecurityCase, action: CaseAction, by: str) -> str:
    if not people.leave(db, _who(db, case), action.target, reason=BECAUSE, by=by):
        raise Conflict("There is nothing left to end at this practice.")
    people.sign_out(db, _who(db, case), because=BECAUSE, by=by)
    return "ended all access and the work for the practice"


def _suspend(db: Db, case: SecurityCase, _action: CaseAction, by: str) -> str:
    if people.suspend(db, _who(db, case), because=BECAUSE, by=by):
        return "put the account on hold"
    if db.get_one(Account, _who(db, case)).status != "suspended" or holds.by_desk(db, _who(db, case)):
        raise Conflict("The account is not active.")
    return "keeps the account on hold when a report's lock is lifted"


def _lift_hold(db: Db, case: SecurityCase, _action: CaseAction, by: str) -> str:
    if not holds.by_desk(db, _who(db, case)):
        raise Conflict("The desk holds this account no more.")
    if reports.locked(db, _who(db, case)):
        return "the desk lets go; a report's lock still holds the account"
    if people.reinstate(db, _who(db, case), because=BECAUSE, by=by):
        outbox.send(db, _who(db, case), "account_reinstated", {})
    return "lifted the hold"


def _close(db: Db, case: SecurityCase, _action: CaseAction, by: str) -> str:
    if not people.cease(db, _who(db, case), because=BECAUSE, by=by):
        raise Conflict("The account has ended already.")
    return "ended the account"


def _end_manager(db: Db, case: SecurityCase, action: CaseAction, by: str) -> str:
    found = next((one for one in interim.managed(db, _who(db, case)) if one.id == action.target), None)
    if found is None or not appointments.end(db, found, by=by, reason=BECAUSE):
        raise Conflict("This appointment has ended already.")
    reviews.after_departure(db, found.provider_id, found.line, found.account_id, by=by)
    return "ended the role of access manager"


def _refer(db: Db, case: SecurityCase, action: CaseAction, _by: str) -> str:
    to = configuration.current(db).insurer.help_email
    office = "partner manager" if action.kind == "refer_partner" else "privacy office"
    facts = {"reference": case.reference, "office": office, "reason": action.reason}
    outbox.send(db, None, "case_referred", facts, to=(to,))
    return f"referred to the {office}"


def _who(db: Db, case: SecurityCase) -> str:
    if case.account_id is None:
        raise Conflict("Say first whom this case is about.")
    return humans.survivor(db, case.account_id)


KINDS: dict[str, Kind] = {
    "education": Kind("Explain: one login for one person", "account", _education),
    "end_sessions": Kind("End every sign-in", "account", _end_sessions, ends_presence=True),
    "new_credentials": Kind(
        "Require new credentials, with two proofs", "account", _new_credentials, ends_presence=True
    ),
    "hold_login": Kind("Pause a login of an organization", "login", _hold_login),
    "pause_access": Kind("Pause access to a practice", "practice", _pause_access, takes_authority=True),
    "resume_access": Kind("Give paused access back", "practice", _resume_access),
    "end_access": Kind(
        "End all access to a practice", "practice", _end_access, takes_authority=True, ends_presence=True
    ),
    "end_manager": Kind("End the role of access manager", "appointment", _end_manager, always_two=True),
    "suspend": Kind("Put the account on hold", "account", _suspend, takes_authority=True, ends_presence=True),
    "release_login": Kind("Let a paused login in again", "login", _release_login),
    holds.LIFTED: Kind("Lift the desk's hold on the account", "account", _lift_hold),
    "close": Kind(
        "End the account for good", "account", _close, takes_authority=True, always_two=True, ends_presence=True
    ),
    "refer_partner": Kind("Refer to the partner manager", "account", _refer),
    "refer_privacy": Kind("Refer to the privacy office", "account", _refer),
}
"""The mildest first. The ones that take something away are never offered to the detector."""
TAKES = ("hold_login", "pause_access", "end_access", "end_manager", "suspend", "close")
"""What takes something away: never from somebody who was found innocent."""
