"""Words a stranger would try first for a person's password: their names, ours, and their practices' (security.md 3)."""

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import local_logins, people
from idp.providers import affiliations
from idp.providers.tables import Provider


def about(db: Db, account_id: str) -> tuple[str, ...]:
    """Return the words for an account that exists: user name, name, addresses, insurer, practices."""
    found = local_logins.of_account(db, account_id)
    mine = [one.provider_id for one in affiliations.in_force(db, account_id, clock.now())]
    practices = db.exec(select(Provider.name).where(col(Provider.id).in_(mine))).all()
    return (
        found[0].subject if found else "",
        people.find(db, account_id).display_name,
        configuration.current(db).insurer.name,
        *practices,
        *(contact.email for contact in people.contacts(db, account_id)),
    )
