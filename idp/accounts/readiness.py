"""When an invited person's account becomes active: terms accepted and eligibility attested (RU-1)."""

from sqlmodel import Session as Db

from idp.accounts import attestations, people, terms


def activate_when_ready(db: Db, account_id: str) -> bool:
    """Make the account active once nothing of registration is open; say whether nothing is."""
    if terms.unaccepted(db, account_id) or not attestations.in_date(db, account_id):
        return False
    people.activate(db, account_id)
    return True
