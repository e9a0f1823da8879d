"""Who took an invitation up, where that may be another than the one it was mailed to (domain.md 9).

A link works for whoever holds it: its address never decides who somebody is. So nobody is stopped; the practice's
access managers hear of it at once, and see it on the person's page until the person confirms that address.
"""

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts import linking
from idp.accounts.tables import Account, Contact
from idp.database import of
from idp.notices import outbox
from idp.providers.tables import Provider
from idp.registration import managers
from idp.registration.tables import Invitation


def by_another(db: Db, invitation: Invitation, account_id: str) -> bool:
    """Say whether an account of before takes up what was mailed to an address it has not confirmed.

    An invitation made for that account is its own, wherever it was mailed to.
    """
    return bool(invitation.email) and invitation.account_id is None and not _confirmed(db, account_id, invitation.email)


def tell(db: Db, invitation: Invitation, account: Account) -> None:
    """Mail the practice's access managers of the line, but for the person, who took the invitation up."""
    provider = db.get(Provider, invitation.provider_id) if invitation.provider_id else None
    if provider is None:
        return
    facts = {
        "provider": provider.name,
        "name": account.display_name,
        "invited": invitation.display_name,
        "address": linking.masked(invitation.email),
        "page": f"{of(db).settings.issuer}/p/{provider.id}/people/{account.id}",
    }
    for manager in managers.in_force(db, provider.id, invitation.line):
        if manager.id != account.id:
            outbox.send(db, manager.id, "invitation_taken", facts)


def of_person(db: Db, provider_id: str, account: Account, lines: list[str]) -> list[Invitation]:
    """Return the invitations of a practice, in these lines, that a person took up as somebody else may have."""
    found = db.exec(
        select(Invitation)
        .where(
            col(Invitation.provider_id) == provider_id,
            col(Invitation.spent_by) == account.id,
            col(Invitation.spent_at) > account.created_at,  # not the one that brought the account about
            col(Invitation.line).in_(lines),
        )
        .order_by(col(Invitation.spent_at))
    ).all()
    return [one for one in found if by_another(db, one, account.id)]


def _confirmed(db: Db, account_id: str, email: str) -> bool:
    query = select(Contact.id).where(
        col(Contact.account_id) == account_id, col(Contact.email) == email, col(Contact.verified_at).is_not(None)
    )
    return db.exec(query).first() is not None
