"""One-time links by which an access manager brings a person in (RU-1): made, shown, withdrawn.

The link's secret is shown once and kept as a hash. Taking one up is `accepting`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import ColumnElement, CursorResult, and_, func, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration, entropy
from idp.accounts import people
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import Conflict, NotFound, Refused, TooMany
from idp.notices import outbox
from idp.partners.tables import Partner
from idp.providers.tables import Provider
from idp.registration.tables import Invitation

LATE = timedelta(days=14)
"""How long an invitation that nobody took up is still listed, to be sent again."""
MOST_AN_HOUR, HOUR = 5, timedelta(hours=1)
"""Mails with an invitation that a practice or company can have sent to one address."""


class InvitationLost(Refused):
    """The link was used, withdrawn, is too old, or never was one."""

    status = 410
    code = "invitation_lost"
    title = "This invitation can't be used"


@dataclass(frozen=True, slots=True)
class Offer:
    """An open invitation as its page shows it."""

    invitation: Invitation
    provider: Provider | None
    inviter: str
    company: Partner | None = None
    """The outside company that invites, instead of a practice."""


def invite(
    db: Db,
    *,
    invited_by: str,
    display_name: str,
    email: str = "",
    provider_id: str | None = None,
    account_id: str | None = None,
    line: str = "medical",
    capacity: str = "employee",
    bundle: str | None = None,
    access_ends_at: datetime | None = None,
    partner_id: str | None = None,
    administrator: bool = False,
) -> tuple[Invitation, str]:
    """Make an invitation; return it and the secret of its link, which is nowhere else.

    `account_id` names an existing account that shall work for another organisation; `access_ends_at` is when
    what the bundle gives ends. The caller has checked that `invited_by` may do this; the same person cannot invite
    themselves.
    """
    if account_id is not None and account_id == invited_by:
        raise Conflict("You can't invite yourself.")
    address = people.normalised_email(email) if email else ""
    secret = entropy.token()
    now = clock.now()
    invitation = Invitation(
        token_hash=_hash(secret),
        account_id=account_id,
        provider_id=provider_id,
        line=line,
        capacity=capacity,
        email=address,
        display_name=" ".join(display_name.split()),
        bundle=bundle,
        access_ends_at=access_ends_at,
        partner_id=partner_id,
        administrator=administrator,
        invited_by=invited_by,
        expires_at=now + configuration.current(db).clocks.invitation,
    )
    db.add(invitation)
    db.flush()
    log.record(
        db,
        Event(
            "registration.invitation.made",
            account=account_id,
            provider=provider_id,
            details={
                "invitation": invitation.id,
                "bundle": bundle,
                "line": line,
                "capacity": capacity,
                "ends_at": clock.iso(access_ends_at) if access_ends_at else None,
            },
            personal={"email": address, "name": invitation.display_name},
        ),
    )
    if address:
        _tell(db, invitation, secret)
    return invitation, secret


def spare(db: Db, email: str, *, provider_id: str | None = None, partner_id: str | None = None) -> None:
    """Keep a practice or company from filling one mailbox, which may be a stranger's; raise TooMany past five an hour.

    The caller holds the practice or company, so that two at once are counted one after the other.
    """
    address = people.normalised_email(email) if email else ""
    if address and address in filled(db, provider_id=provider_id, partner_id=partner_id):
        raise TooMany(
            f"{MOST_AN_HOUR} invitations went to this address within the hour. Ask the person to look for them, or try "
            "again later.",
            retry_after=int(HOUR.total_seconds()),
        )


def filled(db: Db, *, provider_id: str | None = None, partner_id: str | None = None) -> frozenset[str]:
    """Return the addresses a practice or company may write to no more within this hour."""
    column, host = (Invitation.provider_id, provider_id) if partner_id is None else (Invitation.partner_id, partner_id)
    sent = (
        select(Invitation.email)
        .where(col(column) == host, col(Invitation.email) != "", col(Invitation.created_at) > clock.now() - HOUR)
        .group_by(col(Invitation.email))
        .having(func.count() >= MOST_AN_HOUR)
    )
    return frozenset(db.exec(sent).all())


def _tell(db: Db, invitation: Invitation, secret: str) -> None:
    offer = _offer(db, invitation)
    facts = {
        "provider": _host(db, offer),
        "inviter": offer.inviter,
        "hours": int(configuration.current(db).clocks.invitation.total_seconds() // 3600),
        "url": f"{of(db).settings.issuer}/invitations/{secret}",
    }
    outbox.send(db, invitation.account_id, "invitation", facts, to=(invitation.email,))


def _host(db: Db, offer: Offer) -> str:
    if offer.provider is not None:
        return offer.provider.name
    return offer.company.name if offer.company is not None else configuration.current(db).insurer.name


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _offer(db: Db, invitation: Invitation) -> Offer:
    provider = db.get(Provider, invitation.provider_id) if invitation.provider_id else None
    inviter = db.get(Account, invitation.invited_by)
    name = inviter.display_name if inviter else configuration.current(db).insurer.name
    company = db.get(Partner, invitation.partner_id) if invitation.partner_id else None
    return Offer(invitation, provider, name, company)


def look_up(db: Db, secret: str) -> Offer:
    """Return an open invitation, or raise InvitationLost with the reason its holder needs."""
    invitation = db.exec(select(Invitation).where(col(Invitation.token_hash) == _hash(secret))).one_or_none()
    if invitation is None:
        raise InvitationLost(
            "This invitation link is not complete or never was one. Open the link from the mail again."
        )
    return offer_of(db, invitation.id)


def offer_of(db: Db, invitation_id: str) -> Offer:
    """Return an open invitation by its id (kept in the journey once the link was opened)."""
    invitation = db.get(Invitation, invitation_id)
    if invitation is None:
        raise InvitationLost
    offer = _offer(db, invitation)
    ask = f"Ask {offer.inviter} for a new one."
    if invitation.spent_at is not None:
        raise InvitationLost(f"This invitation was used already. If that was not you, tell us. {ask}")
    if invitation.ended_at is not None:
        raise InvitationLost(f"This invitation was withdrawn. {ask}")
    if clock.now() >= invitation.expires_at:
        raise InvitationLost(f"This invitation expired. {ask}")
    if invitation.access_ends_at is not None and clock.now() >= invitation.access_ends_at:
        raise InvitationLost(f"The access this invitation gives has ended. {ask}")
    return offer


def withdraw(db: Db, invitation_id: str, *, by: str, replaced: bool = False) -> None:
    """Take an unused invitation back, once: its link and every journey begun with it lead nowhere from now on.

    `replaced` says in the log that another one is made instead. Raises NotFound; Conflict for one that was used or
    withdrawn, if only a moment ago.
    """
    invitation = db.get(Invitation, invitation_id)
    if invitation is None:
        raise NotFound
    ended = db.execute(
        update(Invitation)
        .where(
            col(Invitation.id) == invitation_id,
            col(Invitation.spent_at).is_(None),
            col(Invitation.ended_at).is_(None),
        )
        .values(ended_at=clock.now())
    )
    assert isinstance(ended, CursorResult)
    if ended.rowcount != 1:
        db.refresh(invitation)
        raise Conflict(f"This invitation was {'used' if invitation.spent_at else 'withdrawn'} already.")
    details = {"invitation": invitation_id, "by": by, "replaced": replaced}
    log.record(db, Event("registration.invitation.ended", provider=invitation.provider_id, details=details))


def rename(db: Db, invitation_id: str, name: str, *, by: str) -> None:
    """Mend the name on an invitation nobody took up; its link goes on. Raises Conflict for one that is over."""
    invitation = db.get_one(Invitation, invitation_id)
    was, name = invitation.display_name, " ".join(name.split())
    mended = db.execute(
        update(Invitation)
        .where(
            col(Invitation.id) == invitation_id,
            col(Invitation.spent_at).is_(None),
            col(Invitation.ended_at).is_(None),
        )
        .values(display_name=name)
    )
    assert isinstance(mended, CursorResult)
    db.refresh(invitation)
    if mended.rowcount != 1:
        raise Conflict(f"This invitation was {'used' if invitation.spent_at else 'withdrawn'} already.")
    log.record(
        db,
        Event(
            "registration.invitation.mended",
            account=invitation.account_id,
            provider=invitation.provider_id,
            details={"invitation": invitation_id, "by": by},
            personal={"name": name, "was": was},
        ),
    )


def open_at(db: Db, provider_id: str) -> list[Invitation]:
    """Return an organisation's invitations that wait for their person."""
    return _waiting(db, col(Invitation.provider_id) == provider_id, since=clock.now())


def unanswered(db: Db, provider_id: str, lines: Collection[str]) -> list[Invitation]:
    """Return those that wait in these lines, and those nobody took up in the last days: they can be sent again."""
    whose = and_(col(Invitation.provider_id) == provider_id, col(Invitation.line).in_(lines))
    return _waiting(db, whose, since=clock.now() - LATE)


def of_practice(db: Db, provider_id: str, invitation_id: str, lines: Collection[str]) -> Invitation:
    """Return an invitation of this practice in these lines, in whatever state; anything else is NotFound."""
    found = db.get(Invitation, invitation_id)
    if found is None or found.provider_id != provider_id or found.line not in lines:
        raise NotFound
    return found


def open_of_company(db: Db, partner_id: str) -> list[Invitation]:
    """Return a company's invitations that wait for their person."""
    return _waiting(db, col(Invitation.partner_id) == partner_id, since=clock.now())


def _waiting(db: Db, whose: ColumnElement[bool], *, since: datetime) -> list[Invitation]:
    return list(
        db.exec(
            select(Invitation)
            .where(
                whose,
                col(Invitation.spent_at).is_(None),
                col(Invitation.ended_at).is_(None),
                col(Invitation.expires_at) > since,
            )
            .order_by(col(Invitation.created_at))
        )
    )
