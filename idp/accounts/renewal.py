"""Credentials that may be in other hands stop working: the person gets back in with two proofs and sets up new ones."""

from sqlmodel import Session as Db

from idp import clock, entropy
from idp.accounts import devices, local_logins, passwords, recovered, sessions, vouching
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.signals import credentials, epochs


def require_new(db: Db, account_id: str, *, by: str, because: str) -> int:
    """End the password, every second step, remembered devices and sessions; return how many sessions ended.

    Logins of organizations stay: their organizations prove the person, who sets up a second step of ours anew. The
    stored password becomes the hash of random bytes that nobody has, so "I can't sign in" goes on working.
    """
    found = local_logins.of_account(db, account_id)
    if found is not None:
        stored = found[1]
        stored.hash, stored.changed_at = passwords.hashed(of(db).ring, entropy.token()), clock.now()
        db.add(stored)
        db.flush()
        log.record(db, Event("accounts.password.changed", account=account_id, reason=because, details={"by": by}))
        credentials.changed(db, account_id, "password", "update")
    recovered.end_factors(db, account_id, reason=because)
    devices.forget_all(db, account_id)
    vouching.end_all(db, account_id)
    ended = sessions.end_all(db, account_id, because=because, by=by)
    epochs.changed_account(db, account_id, takes_away=True)
    return ended
