"""Confirm that a person reads an address: a code by mail, typed in the browser that asked for it.

The answer is the same whether or not an account has the address (security.md 9): only its mailbox learns that
one exists. Nothing is ever linked by it.
"""

import base64
import hmac
from functools import partial
from hashlib import sha256

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration, entropy
from idp.accounts import attempts, people, teams
from idp.accounts.tables import Account, Contact
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import Invalid
from idp.notices import outbox
from idp.registration import journey
from idp.registration.tables import Registration

MOST_TRIES = 5
WRONG = "That code is not right, was used, or is too old. Check the newest mail, or ask for a new code."


def ask(db: Db, registration: Registration, typed: str) -> None:
    """Mail a code to an address; a new code replaces the one before. Raises Invalid, Throttled."""
    address = people.normalised_email(typed)
    if teams.mailbox_of_a_team(address):
        raise Invalid(fields={"email": "Use your own address, not one your team shares."})
    attempts.count(db, _counter(db, address))
    code = base64.b32encode(entropy.raw(5)).decode()
    registration.email = address
    registration.status = "applied"
    registration.code_hash = _hash(registration, code)
    registration.code_tries = 0
    registration.code_until = clock.now() + configuration.current(db).clocks.registration
    journey.undone(db, registration, "email")
    known = _has_account(db, address)
    facts = {
        "code": f"{code[:4]}-{code[4:]}",
        "hours": int(configuration.current(db).clocks.registration.total_seconds() // 3600),
        "url": f"{of(db).settings.issuer}/register/email/code?r={registration.id}",
    }
    outbox.send(db, None, "registration_known" if known else "registration_code", facts, to=(address,))
    details = {"registration": registration.id, "known": known}
    log.record(db, Event("registration.address.asked", details=details, personal={"email": address}))


def confirm(db: Db, registration: Registration, typed: str) -> None:
    """Spend the code, once; raise Invalid for a wrong, used, guessed-at or old one."""
    code = "".join(typed.split()).replace("-", "").upper()
    right = registration.code_hash is not None and hmac.compare_digest(
        registration.code_hash, _hash(registration, code)
    )
    if not right or _has_account(db, registration.email):
        raise Invalid(
            fields={"code": WRONG},
            then=(partial(_count_wrong, registration.id),),
        )
    spent = db.execute(
        update(Registration)
        .where(
            col(Registration.id) == registration.id,
            col(Registration.code_hash) == registration.code_hash,
            col(Registration.code_tries) < MOST_TRIES,
            col(Registration.code_until) > clock.now(),
            col(Registration.status) == "applied",
        )
        .values(code_hash=None, status="verified")
        .execution_options(synchronize_session="fetch")
    )
    assert isinstance(spent, CursorResult)
    if spent.rowcount != 1:
        raise Invalid(fields={"code": WRONG}, then=(partial(_count_wrong, registration.id),))
    db.refresh(registration)
    attempts.forget(db, _counter(db, registration.email))
    journey.done(db, registration, "email")
    log.record(db, Event("registration.address.confirmed", details={"registration": registration.id}))


def _count_wrong(registration_id: str, db: Db) -> None:
    db.execute(
        update(Registration)
        .where(col(Registration.id) == registration_id)
        .values(code_tries=col(Registration.code_tries) + 1)
    )
    details = {"registration": registration_id}
    log.record(db, Event("registration.address.refused", outcome="refused", reason="wrong_code", details=details))


def _has_account(db: Db, address: str) -> bool:
    """Say whether a person who can sign in has confirmed this address: they are told to do that instead."""
    found = db.exec(
        select(Contact.id)
        .join(Account, col(Account.id) == col(Contact.account_id))
        .where(
            col(Contact.email) == address,
            col(Contact.verified_at).is_not(None),
            col(Account.status).in_(("invited", "verified", "active", "suspended")),
        )
        .limit(1)
    ).first()
    return found is not None


def _hash(registration: Registration, code: str) -> bytes:
    """The code counts for this registration and this address only."""
    return sha256(f"{registration.id}\n{registration.email}\n{code}".encode()).digest()


def _counter(db: Db, address: str) -> str:
    return attempts.key_for(db, "register-mail", account_id=None, name=address)
