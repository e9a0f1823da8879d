"""No practice is left without an access manager: who could be the interim one, and appointing them (invariant 7)."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import humans
from idp.accounts.tables import Account
from idp.cases import staff
from idp.casework import roles
from idp.database import of
from idp.entitlements import appointed, pauses
from idp.entitlements.tables import Appointment
from idp.errors import Invalid
from idp.notices import outbox, saying
from idp.providers import affiliations
from idp.providers.tables import Provider
from idp.wam import appointments, succession

MARK = "interim, "
"""How `verified_by` of an interim appointment begins; the case follows."""
VERIFIES = "wam.verify"


@dataclass(frozen=True, slots=True)
class Left:
    """A line of a practice that would have no access manager, and who could be one meanwhile."""

    provider: Provider
    line: str
    candidates: tuple[Account, ...]
    """People of the practice first, then the insurer's own who confirm access managers."""


def managed(db: Db, account_id: str, provider_id: str | None = None) -> list[Appointment]:
    """Return what a person manages now, everywhere or at one practice."""
    query = select(Appointment).where(appointed.in_force(), col(Appointment.account_id) == account_id)
    if provider_id is not None:
        query = query.where(col(Appointment.provider_id) == provider_id)
    return list(db.exec(query.order_by(col(Appointment.provider_id), col(Appointment.line))).all())


def left_without(db: Db, held: list[Appointment]) -> list[Left]:
    """Return the lines that ending these appointments leaves without anybody able to manage them."""
    found = []
    bare = [one for one in held if not appointments.able(db, one.provider_id, one.line) - {one.account_id}]
    insurers = _of_the_insurer(db) if bare else []
    for one in bare:
        could = succession.candidates(db, one.provider_id, one.line, one.account_id)
        known = {who.id for who in could} | {one.account_id}
        could += [who for who in insurers if who.id not in known]
        partial = roles.partial(db, [who.id for who in could])
        free = tuple(
            who for who in could if who.id not in partial and not pauses.desk_pauses(db, who.id, one.provider_id)
        )
        found.append(Left(db.get_one(Provider, one.provider_id), one.line, free))
    return found


def _of_the_insurer(db: Db) -> list[Account]:
    """Return the insurer's own people who could manage access at any practice for a while, by name."""
    ids = staff.holders(db, VERIFIES)
    query = select(Account).where(
        col(Account.id).in_(ids), col(Account.status) == "active", col(Account.ial) >= succession.NEEDED_IAL
    )
    return list(db.exec(query.order_by(col(Account.display_name), col(Account.id))).all())


def for_all(left: list[Left]) -> list[Account]:
    """Return who could be the interim manager of every line that is left; of any, where nobody could of all."""
    every = {one.id: one for line in left for one in line.candidates}
    common = [one for one in every.values() if all(one.id in {who.id for who in line.candidates} for line in left)]
    return common or list(every.values())


def check(db: Db, left: list[Left], interim_id: str | None, *, but: set[str]) -> None:
    """Raise Invalid unless the interim manager can be one for every line that is left.

    `but` is who wants it: nobody comes to manage access by their own word (security.md 64).
    """
    if left and interim_id and any(interim_id in humans.same(db, one) for one in but):
        raise Invalid(fields={"interim": "Nobody who wants this can be the one who manages access meanwhile."})
    for one in left:
        if not one.candidates:
            raise Invalid(
                f"{one.provider.name} would have no access manager for {one.line}, and nobody there, and nobody of "
                "the insurer who confirms access managers, has a proven identity, is under no case and not of this "
                "desk. End the sign-ins or ask for new credentials meanwhile, and have a successor proven first."
            )
        if interim_id not in {who.id for who in one.candidates}:
            raise Invalid(fields={"interim": f"Choose who manages access at {one.provider.name} meanwhile."})


def appoint(db: Db, left: list[Left], interim_id: str, *, by: str, case_id: str) -> None:
    """Appoint the interim manager of each line until a day, and tell them; before the other one goes."""
    until = clock.now() + configuration.current(db).clocks.case_interim
    for one in left:
        if (
            affiliations.current(db, interim_id, one.provider.id) is None
        ):  # the insurer's own, for as long and no longer
            affiliations.approve(
                db,
                account_id=interim_id,
                provider_id=one.provider.id,
                capacity="representative",
                by=by,
                ends_at=until,
            )
        else:
            lengthen(db, interim_id, one.provider.id, until, by=by)
        appointments.appoint(
            db,
            account_id=interim_id,
            provider_id=one.provider.id,
            line=one.line,
            by=by,
            verified_by=f"{MARK}{case_id}",
            ends_at=until,
        )
        settings = of(db).settings
        facts = {
            "provider": one.provider.name,
            "people": f"{settings.issuer}/p/{one.provider.id}/people",
            "until": saying.moment(until, settings.time_zone),
        }
        outbox.send(db, interim_id, "case_interim", facts)


def lengthen(db: Db, account_id: str, provider_id: str, until: datetime, *, by: str) -> None:
    """Have work that ends with an interim role, so was approved for it alone, last until a later one ends, too.

    Work that was approved for anything else keeps its own end.
    """
    tie = affiliations.live(db, account_id, provider_id)
    if tie is None or tie.ends_at is None or tie.ends_at >= until:
        return
    role = select(Appointment.id).where(
        col(Appointment.account_id) == account_id,
        col(Appointment.provider_id) == provider_id,
        col(Appointment.verified_by).startswith(MARK),
        col(Appointment.ends_at) == tie.ends_at,
    )
    if db.exec(role).first() is not None:
        affiliations.set_end(db, tie, until, by=by)
