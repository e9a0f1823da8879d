"""Who may manage whom: only a person appointed for this organisation and line, only now (security.md 62).

Asked again inside each change, on locked rows, so that a change and the end of the authority behind it
cannot both win.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_
from sqlmodel import Session, col, select

from idp import clock
from idp.accounts.tables import Account
from idp.entitlements import appointed
from idp.entitlements.tables import Appointment, Grant
from idp.errors import NotEntitled, NotFound
from idp.providers.tables import Affiliation, Provider


@dataclass(frozen=True, slots=True)
class Person:
    """A person of a practice: the account and what ties it to the practice."""

    account: Account
    affiliation: Affiliation | None
    """None when only history ties them: it ended, access was removed."""


class NotYourLine(NotEntitled):
    """The manager's appointment does not cover this line of business."""

    code = "entitlement_not_granted"
    title = "You can't change this line of business"


def lines_of(db: Session, account_id: str, provider_id: str) -> list[str]:
    """Return the lines this person manages at an organisation now, in the order people read them."""
    return sorted(_appointed(db, account_id, provider_id, "access.manage"), key=_ORDER.index)


def _appointed(db: Session, account_id: str, provider_id: str, entitlement: str) -> set[str]:
    found = select(Appointment.line).where(
        col(Appointment.account_id) == account_id,
        col(Appointment.provider_id) == provider_id,
        appointed.in_force(),
        appointed.unhindered(entitlement),
    )
    return set(db.exec(found).all())


def lines_seen(db: Session, account_id: str, provider_id: str) -> list[str]:
    """Return the lines whose access this person may look at here: those they manage, and those they audit."""
    now = clock.now()
    held = db.exec(
        select(Grant.line_of_business, Grant.effect).where(
            col(Grant.account_id) == account_id,
            col(Grant.provider_id) == provider_id,
            col(Grant.entitlement) == SEES,
            col(Grant.ended_at).is_(None),
            col(Grant.not_before) <= now,
            or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > now),
        )
    ).all()
    audits = {line for line, effect in held if effect == "allow"} - {line for line, effect in held if effect != "allow"}
    return sorted(audits | _appointed(db, account_id, provider_id, SEES), key=_ORDER.index)


SEES = "access.view"
"""The function of who may look at the access of a practice."""
_ORDER = ("medical", "behavioural", "dental", "medicare_advantage")


def must_manage(db: Session, by: str, provider_id: str, line: str, *, since: datetime | None = None) -> None:
    """Require an appointment in force, and hold it until this transaction ends.

    `since`: one made by then, and not ended between. Raises NotYourLine.
    """
    if not appointed.manages(db, by, provider_id, line, since=since):
        raise NotYourLine("You are not an access manager of this line of business. Ask one of its access managers.")


def provider(db: Session, provider_id: str) -> Provider:
    """Return an organisation or raise NotFound."""
    found = db.get(Provider, provider_id)
    if found is None:
        raise NotFound
    return found


def person(db: Session, provider_id: str, account_id: str, *, lock: bool = False) -> Person:
    """Return a person of this practice, present or past; anyone else is NotFound, like nobody at all.

    `lock` keeps other managers' changes of the same person waiting until this transaction ends.
    """
    query = select(Account).where(col(Account.id) == account_id)
    account = db.exec(query.with_for_update() if lock else query).one_or_none()
    ties = db.exec(
        select(Affiliation)
        .where(col(Affiliation.account_id) == account_id, col(Affiliation.provider_id) == provider_id)
        .order_by(col(Affiliation.starts_at).desc())
    ).all()
    if account is None or not ties:
        raise NotFound
    now = clock.now()
    live = next((a for a in ties if a.ended_at is None and (a.ends_at is None or a.ends_at > now)), None)
    return Person(account, live)


def employees(db: Session, provider_id: str) -> list[Account]:
    """Return the people of the practice itself, not of outside companies, whose tie is in force, by name."""
    now = clock.now()
    return list(
        db.exec(
            select(Account)
            .join(Affiliation, col(Affiliation.account_id) == col(Account.id))
            .where(
                col(Affiliation.provider_id) == provider_id,
                col(Affiliation.partner_id).is_(None),
                col(Affiliation.ended_at).is_(None),
                col(Affiliation.starts_at) <= now,
                or_(col(Affiliation.ends_at).is_(None), col(Affiliation.ends_at) > now),
            )
            .order_by(col(Account.display_name), col(Account.id))
        ).all()
    )


def not_ended(db: Session, provider_id: str, account_id: str, line: str | None = None) -> list[Grant]:
    """Return the grants and pauses of a person that nobody has ended and that have not run out."""
    query = select(Grant).where(
        col(Grant.account_id) == account_id,
        col(Grant.provider_id) == provider_id,
        col(Grant.ended_at).is_(None),
        or_(col(Grant.expires_at).is_(None), col(Grant.expires_at) > clock.now()),
    )
    if line is not None:
        query = query.where(col(Grant.line_of_business) == line)
    return list(db.exec(query.order_by(col(Grant.entitlement), col(Grant.not_before), col(Grant.id))).all())
