"""From a confirmed address to an account with one login: made once, `verified`, and good for nothing yet (T-12)."""

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col

from idp.accounts import linking, local_logins, people
from idp.accounts.passwords import Hashed
from idp.accounts.tables import Account, Login, PendingLink
from idp.registration import journey, routes
from idp.registration.journey import RegistrationLost
from idp.registration.tables import Registration


def with_new_login(db: Db, registration: Registration, user_name: str, password: Hashed) -> Login:
    """Make the account with a user name and a password that was hashed before. Raises Invalid, Conflict."""
    account = _make(db, registration)
    return local_logins.add(db, account.id, user_name, password)


def with_outside_login(
    db: Db, registration: Registration, pending: PendingLink, *, organization: str, partner_id: str
) -> Account:
    """Make the account with an outside login that was just proved in this browser; the proof is spent.

    Raises LinkLost for a proof that is gone, Conflict for a login that opens an account already, RouteClosed.
    """
    routes.require(db, registration.route, registration.client_id, pending.upstream_id, partner_id)
    account = _make(db, registration)
    linking.spend(db, pending, by=account.id)
    linking.link(
        db,
        account.id,
        upstream_id=pending.upstream_id,
        issuer=pending.issuer,
        subject=pending.subject,
        facts=pending.facts,
        organization=organization,
    )
    registration.upstream_id, registration.partner_id = pending.upstream_id, partner_id
    db.add(registration)
    return account


def _make(db: Db, registration: Registration) -> Account:
    """Create the account and tie the registration to it; the second of two clicks finds it taken."""
    name = f"{registration.given_name} {registration.family_name}"
    account = people.create(
        db,
        display_name=name,
        given_name=registration.given_name,
        family_name=registration.family_name,
        emails=(registration.email,),
        emails_verified=True,
        status="verified",
    )
    taken = db.execute(
        update(Registration)
        .where(
            col(Registration.id) == registration.id,
            col(Registration.account_id).is_(None),
            col(Registration.status) == "verified",
        )
        .values(account_id=account.id)
        .execution_options(synchronize_session="fetch")
    )
    assert isinstance(taken, CursorResult)
    if taken.rowcount != 1:
        raise RegistrationLost
    journey.done(db, registration, "login")
    return account
