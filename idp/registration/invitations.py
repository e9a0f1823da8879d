"""One-time links by which an access manager brings a person in (RU-1).

The link's secret is shown once and kept as a hash; accepting spends it by one conditional update, creates the
account where there is none, and approves the person for the organisation that invited them.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import ColumnElement, CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration, entropy
from idp.accounts import people
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.entitlements import appointed, bundles, grants
from idp.errors import Conflict, NotFound, Refused
from idp.notices import outbox
from idp.partners import members
from idp.partners.tables import Partner
from idp.providers import affiliations
from idp.providers.tables import Provider
from idp.registration import taken_up
from idp.registration.tables import Invitation


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
    what the bundle gives ends. The caller has checked
    that `invited_by` may do this; the same person cannot invite themselves.
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


def accept(db: Db, invitation_id: str, *, account_id: str | None = None) -> Account:
    """Spend an invitation; return the account that now acts for the organisation.

    `account_id` is who proved an existing login in this browser; without it the account is created. An
    invitation that names an account is only good for that one.
    """
    offer = offer_of(db, invitation_id)
    invitation = offer.invitation
    if invitation.account_id is not None and account_id != invitation.account_id:
        raise InvitationLost("This invitation is for somebody who has an account already. Sign in with it first.")
    if account_id is not None and account_id == invitation.invited_by:
        raise Conflict("You can't accept your own invitation.")
    spent = db.execute(
        update(Invitation)
        .where(
            col(Invitation.id) == invitation.id,
            col(Invitation.spent_at).is_(None),
            col(Invitation.ended_at).is_(None),
            col(Invitation.expires_at) > clock.now(),
        )
        .values(spent_at=clock.now())
    )
    assert isinstance(spent, CursorResult)
    if spent.rowcount != 1:
        raise InvitationLost("This invitation was used a moment ago.")
    account = people.find(db, account_id) if account_id else _create(db, invitation)
    db.execute(update(Invitation).where(col(Invitation.id) == invitation.id).values(spent_by=account.id))
    another = account_id is not None and taken_up.by_another(db, invitation, account_id)
    log.record(
        db,
        Event(
            "registration.invitation.accepted",
            account=account.id,
            provider=invitation.provider_id,
            details={
                "invitation": invitation.id,
                "invited_by": invitation.invited_by,
                "other_address": another,
            },
        ),
    )
    _admit(db, invitation, account)
    if another:
        taken_up.tell(db, invitation, account)
    return account


def _create(db: Db, invitation: Invitation) -> Account:
    emails = (invitation.email,) if invitation.email else ()
    return people.create(db, display_name=invitation.display_name, emails=emails, status="invited")


def withdraw(db: Db, invitation_id: str, *, by: str) -> None:
    """Take an unused invitation back."""
    invitation = db.get(Invitation, invitation_id)
    if invitation is None:
        raise NotFound
    ended = db.execute(
        update(Invitation)
        .where(col(Invitation.id) == invitation_id, col(Invitation.spent_at).is_(None))
        .values(ended_at=clock.now())
    )
    assert isinstance(ended, CursorResult)
    if ended.rowcount != 1:
        raise Conflict("This invitation was used already.")
    details = {"invitation": invitation_id, "by": by}
    log.record(db, Event("registration.invitation.ended", provider=invitation.provider_id, details=details))


def open_at(db: Db, provider_id: str) -> list[Invitation]:
    """Return an organisation's invitations that wait for their person."""
    return _open(db, col(Invitation.provider_id) == provider_id)


def _open(db: Db, whose: ColumnElement[bool]) -> list[Invitation]:
    return list(
        db.exec(
            select(Invitation)
            .where(
                whose,
                col(Invitation.spent_at).is_(None),
                col(Invitation.ended_at).is_(None),
                col(Invitation.expires_at) > clock.now(),
            )
            .order_by(col(Invitation.created_at))
        )
    )


def _admit(db: Db, invitation: Invitation, account: Account) -> None:
    """Approve the person for the organisation and give the bundle, if the inviter may still do so (invariant 6)."""
    if invitation.partner_id is not None:
        _employ(db, invitation, account)
    if invitation.provider_id is None:
        return
    if not _may_still_invite(db, invitation):
        offer = _offer(db, invitation)
        raise InvitationLost(
            f"{offer.inviter} no longer manages access here. Ask another access manager to invite you."
        )
    tie = affiliations.live(db, account.id, invitation.provider_id)
    if tie is None or (tie.ends_at is not None and tie.ends_at <= clock.now()):
        affiliations.approve(
            db,
            account_id=account.id,
            provider_id=invitation.provider_id,
            capacity=invitation.capacity,
            by=invitation.invited_by,
        )
    if invitation.bundle in {one.key for one in bundles.current(db)}:  # a job the insurer retired is not given
        bundles.assign(
            db,
            account_id=account.id,
            provider_id=invitation.provider_id,
            line=invitation.line,
            bundle=invitation.bundle,
            by=invitation.invited_by,
            reason="invited",
            ends_at=invitation.access_ends_at,
            fitting=invitation.invited_by.startswith("acc_"),  # an operator describes a world, bound by structure alone
        )


def _employ(db: Db, invitation: Invitation, account: Account) -> None:
    """Record the person as one of the company's, if the inviter still administers it (W-6)."""
    by, partner_id = invitation.invited_by, str(invitation.partner_id)
    inviter = db.get(Account, by)
    administers = members.administers(db, by, partner_id) and inviter is not None and inviter.status == "active"
    if by.startswith("acc_") and not administers and not _by_staff(db, invitation):
        raise InvitationLost("Who invited you no longer administers this company. Ask another administrator.")
    present = members.of_person(db, account.id, partner_id)
    if present is None:
        members.record(db, partner_id=partner_id, account_id=account.id, administrator=invitation.administrator, by=by)
    elif invitation.administrator:
        members.set_administrator(db, present, administrator=True, by=by)


def _by_staff(db: Db, invitation: Invitation) -> bool:
    """Say whether staff who manage partners may still bring this company's first administrator in."""
    insurer = db.exec(select(Provider.id).where(col(Provider.kind) == "insurer")).first()
    if insurer is None or members.in_force(db, str(invitation.partner_id), administrators=True):
        return False
    inviter = db.get(Account, invitation.invited_by)
    held = grants.live(db, invitation.invited_by, insurer, clock.now())
    of_it = {grant.effect for grant in held if grant.entitlement == "partner.manage"}
    return inviter is not None and inviter.status == "active" and of_it == {"allow"}


def open_of_company(db: Db, partner_id: str) -> list[Invitation]:
    """Return a company's invitations that wait for their person."""
    return _open(db, col(Invitation.partner_id) == partner_id)


def _may_still_invite(db: Db, invitation: Invitation) -> bool:
    """Say whether the inviter holds authority now: an operator always, a person by a live appointment."""
    if not invitation.invited_by.startswith("acc_"):
        return True
    return appointed.manages(db, invitation.invited_by, invitation.provider_id, invitation.line)
