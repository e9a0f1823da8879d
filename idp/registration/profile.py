"""Who registers, in what capacity, with which licence: what is typed, and what is wrong with it (T-10, T-14, T-19)."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from idp import clock
from idp.accounts import teams
from idp.errors import Invalid
from idp.providers import identifiers

CAPACITIES = {
    "employee": ("Employee", "The practice employs me."),
    "representative": ("Representative", "I act for the practice without being employed there."),
    "agent": ("Authorized agent", "The practice authorized me, or the company I work for."),
}
_STATES = """
AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA
RI SC SD TN TX UT VT VA WA WV WI WY PR VI GU AS MP
"""
STATES = frozenset(_STATES.split())
_LICENCE = re.compile(r"[A-Z0-9]{2,20}")


@dataclass(frozen=True, slots=True)
class Licence:
    """What a clinician says of themselves; unverified until the insurer's records say so."""

    npi: str
    state: str
    number: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Profile:
    """The answers of the step, checked and in their one form."""

    given_name: str
    family_name: str
    capacity: str
    starts_at: datetime
    ends_at: datetime | None
    bundle: str | None
    licence: Licence | None


def checked(
    typed: Mapping[str, str],
    *,
    starts_at: datetime | None,
    ends_at: datetime | None,
    licence_until: datetime | None,
    jobs: frozenset[str],
    named: bool,
) -> Profile:
    """Return the profile; raise Invalid with a sentence for each field that needs repair.

    `named` asks for the name: who has an account is known by it. The caller has read the dates.
    """
    fields: dict[str, str] = {}
    given, family = (_name(typed.get(field, "")) for field in ("given_name", "family_name"))
    if named:
        fields |= _names_wrong(given, family)
    capacity = typed.get("capacity", "")
    if capacity not in CAPACITIES:
        fields["capacity-employee"] = "Choose how you work for the practice."
    now = clock.now()
    if starts_at is not None and starts_at > now:
        fields["starts"] = "Enter today or an earlier day. Register again when you have begun."
    if ends_at is not None and ends_at <= max(now, starts_at or now):
        fields["ends"] = "Enter a day that has not passed, or leave it empty."
    if capacity == "agent" and ends_at is None and "ends" not in fields:
        fields["ends"] = "An authorized agent needs a last day. Your authorization names it."
    bundle = typed.get("bundle", "")
    if bundle and bundle not in jobs:
        fields["bundle-none"] = "Choose one of these jobs."
    clinician = typed.get("clinician", "")
    if clinician not in ("yes", "no"):
        fields["clinician-no"] = "Say whether you are a licensed clinician."
    licence = _licence(typed, licence_until, now, fields) if clinician == "yes" else None
    if fields:
        raise Invalid(fields=fields)
    return Profile(given, family, capacity, starts_at or now, ends_at, bundle or None, licence)


def npi_problem(typed: str) -> str | None:
    """Say what is wrong with an NPI, or None (domain.md 8)."""
    npi = identifiers.normalise(typed)
    if not (npi.isascii() and npi.isdigit() and len(npi) == 10):
        return "Enter a 10-digit NPI."
    if npi[0] not in "12":
        return f"Enter a 10-digit NPI. {npi} does not begin with 1 or 2."
    if not identifiers.npi_is_valid(npi):
        return f"Enter a 10-digit NPI. {npi} has a wrong check digit."
    return None


def _licence(typed: Mapping[str, str], until: datetime | None, now: datetime, fields: dict[str, str]) -> Licence | None:
    """Read the licence; put what is wrong into `fields`."""
    before = len(fields)
    npi = npi_problem(typed.get("npi", ""))
    if npi:
        fields["npi"] = npi
    state = typed.get("licence_state", "").strip().upper()
    if state not in STATES:
        fields["licence_state"] = "Enter the two letters of the state that licensed you, such as IL."
    number = identifiers.normalise(typed.get("licence_number", ""))
    if not _LICENCE.fullmatch(number):
        fields["licence_number"] = "Enter the number of your license: 2 to 20 letters and digits."
    if until is None:
        fields["licence_until"] = "Enter the last day of your license, such as 11/30/2027."
    elif until <= now:
        fields["licence_until"] = "This license has expired. Renew it first, or register without it."
    if len(fields) > before or until is None:
        return None
    return Licence(identifiers.normalise(typed.get("npi", "")), state, number, until)


def _name(typed: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", typed).split())


def _names_wrong(given: str, family: str) -> dict[str, str]:
    wrong = {}
    for field, value, word in (("given_name", given, "first"), ("family_name", family, "last")):
        if not value or len(value) > 80 or not value.isprintable() or not any(c.isalpha() for c in value):
            wrong[field] = f"Enter your {word} name, at most 80 characters."
    if not wrong and teams.names_a_team(f"{given} {family}"):
        wrong["given_name"] = "An account belongs to one person. Enter your own name, not your team's."
    return wrong
