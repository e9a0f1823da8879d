"""What a person may do, from whom, since and until when: read for their own page (ui.md 3.5)."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import addresses, attestations, people, second_factor, terms
from idp.accounts.tables import Account
from idp.entitlements import appointed, grants, pauses
from idp.entitlements.tables import Appointment, Entitlement
from idp.partners import members
from idp.partners.tables import Partner
from idp.providers import affiliations, organisations
from idp.providers.tables import Affiliation, Provider
from idp.wam import inactivity, reviews
from idp.web.manager.views import LINE_NAMES

RESTS = {
    pauses.DESK: "by our security desk, which alone can lift it",
    pauses.AWAY: "while you are away; an access manager can lift it",
    inactivity.INACTIVE: "you were not seen for long; an access manager can lift it",
    reviews.PAUSED: "nobody confirmed it in a review; an access manager can lift it",
}
"""What a person reads of a pause, by its reason."""


@dataclass(frozen=True, slots=True)
class Function:
    """One thing a person may do at a practice."""

    key: str
    name: str
    line: str
    """In words; `line_key` is the one of addresses and forms."""
    line_key: str
    giver: str
    since: datetime
    until: datetime | None
    paused: str = ""
    """Why it rests and who can lift that; empty while it does not."""

    @property
    def paused_by_desk(self) -> bool:
        """Say whether the security desk paused it."""
        return self.paused == RESTS[pauses.DESK]


@dataclass(frozen=True, slots=True)
class Practice:
    """One practice a person works for, what they may do there and who controls it."""

    provider: Provider
    affiliation: Affiliation
    functions: list[Function]
    managers: list[str]


def practices(db: Db, account_id: str) -> list[Practice]:
    """Return the practices an account acts for now."""
    now = clock.now()
    found = []
    for affiliation in affiliations.in_force(db, account_id, now):
        provider = db.get(Provider, affiliation.provider_id)
        if provider is not None:
            found.append(
                Practice(
                    provider, affiliation, _functions(db, account_id, provider.id, now), _managers(db, provider.id)
                )
            )
    return found


def _functions(db: Db, account_id: str, provider_id: str, now: datetime) -> list[Function]:
    rows = grants.live(db, account_id, provider_id, now)
    held = [g for g in rows if g.effect == "allow"]
    rests: dict[tuple[str, str], str] = {}
    for g in rows:
        known = rests.get((g.line_of_business, g.entitlement))
        if g.effect == "deny" and known != RESTS[pauses.DESK]:  # of several, the one no access manager lifts
            rests[g.line_of_business, g.entitlement] = RESTS.get(g.reason, "an access manager can lift it")
    names = {e.key: e.name for e in db.exec(select(Entitlement)).all()} if held else {}
    found = [
        Function(
            g.entitlement,
            names.get(g.entitlement, g.entitlement),
            LINE_NAMES[g.line_of_business],
            g.line_of_business,
            _name(db, g.granted_by),
            g.not_before,
            g.expires_at,
            rests.get((g.line_of_business, g.entitlement), ""),
        )
        for g in held
    ]
    mine = select(Appointment).where(
        col(Appointment.provider_id) == provider_id, col(Appointment.account_id) == account_id, appointed.in_force()
    )
    for appointment in db.exec(mine).all():
        line = appointment.line
        by, rest = _name(db, appointment.verified_by), rests.get((line, "access.manage"), "")
        name = "Manage people's access"
        found.append(Function("", name, LINE_NAMES[line], line, by, appointment.starts_at, appointment.ends_at, rest))
    return sorted(found, key=lambda f: (f.name, f.line))


def _appointments(db: Db, provider_id: str) -> list[Appointment]:
    here = select(Appointment).where(
        col(Appointment.provider_id) == provider_id, appointed.in_force(), appointed.unpaused()
    )
    return list(db.exec(here))


def _managers(db: Db, provider_id: str) -> list[str]:
    return sorted({_name(db, row.account_id) for row in _appointments(db, provider_id)})


def controls(db: Db, provider_id: str, partner_id: str | None = None) -> list[tuple[str, list[str]]]:
    """Return who controls access at a practice: its access managers by line of business (W-10, RU-5).

    For an outside company's person also the company's administrators, who choose within what the practice allows.
    """
    by_line: dict[str, set[str]] = {}
    for row in _appointments(db, provider_id):
        by_line.setdefault(LINE_NAMES[row.line], set()).add(_name(db, row.account_id))
    found = [(line, sorted(names)) for line, names in sorted(by_line.items())]
    company = db.get(Partner, partner_id) if partner_id else None
    if company is not None:
        chosen = {_name(db, one.account_id) for one in members.in_force(db, company.id, administrators=True)}
        found += [(f"{company.name}, your company", sorted(chosen))] if chosen else []
    return found


def open_lines(db: Db, provider_id: str) -> list[str]:
    """Return the lines of business that are open at a practice now."""
    return [line for line in LINE_NAMES if organisations.has_line(db, provider_id, line, clock.now())]


def catalogue(db: Db) -> list[Entitlement]:
    """Return every function."""
    return list(db.exec(select(Entitlement)).all())


def _name(db: Db, who: str) -> str:
    account = db.get(Account, who) if who.startswith("acc_") else None
    return account.display_name if account else configuration.current(db).insurer.name


def to_do(db: Db, account_id: str) -> list[tuple[str, str]]:
    """Return what this person has to do next: sentence and address."""
    found = []
    if terms.unaccepted(db, account_id):
        found.append(("Read and accept the terms", "/terms"))
    if terms.coming(db, account_id):
        found.append(("Read the terms that change soon", "/account/terms"))
    if attestations.renewable(db, account_id):
        found.append(("Confirm why you may act", "/attest"))
    if not second_factor.has(db, account_id):
        found.append(("Set up a second step", "/sign-in/enroll"))
    if len(people.contacts(db, account_id)) < addresses.WANTED:
        found.append(("Add a second address for notices", "/account/notices/add"))
    return found
