"""When a person's account becomes active: terms accepted, eligibility attested, and somebody let them in.

An invitation is the access manager's approval (RU-1). Who registered by themselves is `verified` until the first
access manager approves (RU-2): neither gate may be missing.
"""

from sqlmodel import Session as Db

from idp import clock
from idp.accounts import attestations, people, terms
from idp.providers import affiliations


def activate_when_ready(db: Db, account_id: str) -> bool:
    """Make the account active once nothing of registration is open; say whether nothing is."""
    if terms.unaccepted(db, account_id) or not attestations.in_date(db, account_id):
        return False
    if awaits_approval(db, account_id):
        return False
    people.activate(db, account_id)
    return True


def awaits_approval(db: Db, account_id: str) -> bool:
    """Say whether a person registered by themselves and no access manager has approved them yet."""
    account = people.find(db, account_id)
    return account.status == "verified" and not affiliations.in_force(db, account_id, clock.now())
