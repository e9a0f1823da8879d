"""Taking an invitation up: one conditional update spends it, and the account, made where there is none, is admitted.

What it gives is what its inviter may still give on that day (invariant 6).
"""

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import people
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements import appointed, bundles, grants
from idp.errors import Conflict
from idp.partners import members
from idp.providers import affiliations
from idp.providers.tables import Provider
from idp.registration import taken_up
from idp.registration.invitations import InvitationLost, Offer, offer_of
from idp.registration.tables import Invitation


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
    _admit(db, offer, account)
    if another:
        taken_up.tell(db, invitation, account)
    return account


def _create(db: Db, invitation: Invitation) -> Account:
    emails = (invitation.email,) if invitation.email else ()
    return people.create(db, display_name=invitation.display_name, emails=emails, status="invited")


def _admit(db: Db, offer: Offer, account: Account) -> None:
    """Approve the person for the organisation and give the bundle, if the inviter may still do so (invariant 6)."""
    invitation = offer.invitation
    if invitation.partner_id is not None:
        _employ(db, invitation, account)
    if invitation.provider_id is None:
        return
    if not _may_still_invite(db, invitation):
        raise InvitationLost(
            f"{offer.inviter} no longer manages access here. Ask another access manager to invite you."
        )
    if affiliations.current(db, account.id, invitation.provider_id) is None:
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


def _may_still_invite(db: Db, invitation: Invitation) -> bool:
    """Say whether the inviter holds authority now: an operator always, a person by a live appointment."""
    if not invitation.invited_by.startswith("acc_"):
        return True
    return appointed.manages(db, invitation.invited_by, invitation.provider_id, invitation.line)
