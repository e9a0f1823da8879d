"""What a giver of access must respect, whatever road the grant takes (invariant 6, security.md 64)."""

from datetime import datetime

from sqlmodel import Session, col, select

from idp import clock
from idp.accounts.tables import Account
from idp.entitlements import duties
from idp.entitlements.defaults import AUTHORITY
from idp.entitlements.tables import Appointment, Entitlement, Grant
from idp.errors import Invalid, NotEntitled
from idp.providers.tables import Provider

DUAL = frozenset({"eft.manage"})
"""Given by two access managers, one after the other, and held for a day (domain.md 6)."""


class MayNotGive(NotEntitled):
    """This access can't be given by this giver, or not to this person."""

    code = "may_not_give"
    title = "This access can't be given"


def check(
    db: Session,
    given: Entitlement,
    *,
    account_id: str,
    provider_id: str,
    line: str,
    by: str,
    confirmed_by: str | None = None,
    expires_at: datetime | None = None,
    taken: frozenset[str] = frozenset(),
) -> None:
    """Refuse a grant that no giver, or not this one, may make.

    `confirmed_by` is the second manager, where two are needed. `taken` ends in this line before. A pair of conflicting
    functions is refused unless an exception covers this access to its end, `expires_at`.
    `operator` and `system` describe a world and are bound by structure alone; a person is bound by all.
    """
    if given.key in AUTHORITY:
        raise Invalid(fields={"entitlement": f"{given.name} comes with an appointment as access manager only."})
    if not by.startswith("acc_"):
        return
    if by == account_id:  # security.md 64 is stricter than invariant 6, and the stricter holds
        raise MayNotGive(f"Nobody gives themselves {given.name}. Ask another access manager.")
    if given.key in DUAL and confirmed_by in (None, by, account_id):
        raise MayNotGive(f"{given.name} needs a second access manager.")
    provider = db.get(Provider, provider_id)
    if provider is None or given.insurer_side != (provider.kind == "insurer"):
        raise MayNotGive(f"{given.name} is not a function of this organization.")
    account = db.get(Account, account_id)
    if account is None or account.ial < given.ial:
        raise MayNotGive(f"{given.name} needs a person whose identity was proven to a higher level.")
    together = held(db, account_id, provider_id, taken_in=line, taken=taken) | {given.key}
    for clash in duties.clashes(db, together, account_id=account_id, provider_id=provider_id, line=line):
        if given.key in (clash.first, clash.second) and not clash.allowed(expires_at):
            raise MayNotGive(f"{_names(db, clash)} can't be in one person's hands.")


def _names(db: Session, clash: duties.Clash) -> str:
    rows = (db.get(Entitlement, clash.first), db.get(Entitlement, clash.second))
    return " and ".join(row.name for row in rows if row is not None)


def held(
    db: Session,
    account_id: str,
    provider_id: str,
    *,
    but: str | None = None,
    taken_in: str = "",
    taken: frozenset[str] = frozenset(),
) -> set[str]:
    """Return what a person has at an organisation, begun or to come, in every line (`but` one); managing is among it.

    What is about to be `taken` in a line is not counted there.

    What must not be in one person's hands must not be so by two lines of business of one organisation either.
    """
    now = clock.now()
    keys = db.exec(
        select(Grant.entitlement, Grant.expires_at).where(
            col(Grant.account_id) == account_id,
            col(Grant.provider_id) == provider_id,
            col(Grant.line_of_business) != (but or ""),
            col(Grant.effect) == "allow",
            col(Grant.ended_at).is_(None),
            ~((col(Grant.line_of_business) == taken_in) & col(Grant.entitlement).in_(taken)),
        )
    ).all()
    found = {key for key, expires_at in keys if expires_at is None or expires_at > now}
    appointed = db.exec(
        select(Appointment.ends_at).where(
            col(Appointment.account_id) == account_id,
            col(Appointment.provider_id) == provider_id,
            col(Appointment.line) != (but or ""),
            col(Appointment.ended_at).is_(None),
        )
    ).all()
    if any(ends_at is None or ends_at > now for ends_at in appointed):
        found.add("access.manage")
    return found
