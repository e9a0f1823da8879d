"""The addresses a person's notices go to: two are wanted, one stays, each new one is confirmed (domain.md 9).

A new address counts after its link was opened in a signed-in session of the same account: a stranger whose address was
mistyped cannot make themselves heard of, nor get another person's codes. The old addresses are told of every change.
"""

from datetime import timedelta
from hashlib import sha256

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, entropy
from idp.accounts import attempts, linking, people, teams
from idp.accounts.contact_tables import AddressProof
from idp.accounts.tables import Contact
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import Conflict, Invalid, NotFound
from idp.notices import outbox

WANTED, MOST = 2, 5
GOOD_FOR = timedelta(hours=24)


def ask(db: Db, account_id: str, typed: str) -> str:
    """Mail a link to an address that shall get notices; return the address. Raises Invalid, Throttled."""
    address = people.normalised_email(typed)
    if teams.mailbox_of_a_team(address):
        raise Invalid(fields={"email": "Use your own address, not one your team shares."})
    own = people.contacts(db, account_id)
    if any(one.email == address and one.verified_at is not None for one in own):
        raise Invalid(fields={"email": "This address gets your notices already."})
    if len(own) >= MOST and address not in {one.email for one in own}:
        raise Invalid(fields={"email": f"{MOST} addresses are enough. Remove one first."})
    attempts.count(db, attempts.key_for(db, "address", account_id=None, name=account_id))
    secret = entropy.token()
    db.add(
        AddressProof(account_id=account_id, email=address, token_hash=_hash(secret), expires_at=clock.now() + GOOD_FOR)
    )
    url = f"{of(db).settings.issuer}/account/notices/confirm/{secret}"
    hours = int(GOOD_FOR.total_seconds() // 3600)
    outbox.send(db, None, "address_proof", {"url": url, "hours": hours}, to=(address,))
    log.record(db, Event("accounts.address.asked", account=account_id, personal={"email": address}))
    return address


def waiting(db: Db, account_id: str, secret: str) -> AddressProof:
    """Return the proof a link names, for the account it was asked for; raise NotFound."""
    found = db.exec(
        select(AddressProof).where(
            col(AddressProof.token_hash) == _hash(secret),
            col(AddressProof.account_id) == account_id,
            col(AddressProof.spent_at).is_(None),
            col(AddressProof.expires_at) > clock.now(),
        )
    ).one_or_none()
    if found is None:
        raise NotFound(
            "This link was used, is older than a day, or belongs to another account. Ask for a new one on Notices."
        )
    return found


def confirm(db: Db, account_id: str, secret: str) -> None:
    """Spend a link, once: the address gets notices from now on, the others are told. Raises NotFound."""
    people.lock(db, account_id)
    proof = waiting(db, account_id, secret)
    spent = db.execute(
        update(AddressProof)
        .where(col(AddressProof.id) == proof.id, col(AddressProof.spent_at).is_(None))
        .values(spent_at=clock.now())
    )
    assert isinstance(spent, CursorResult)
    if spent.rowcount != 1:
        raise NotFound
    before = tuple(one.email for one in people.contacts(db, account_id) if one.email != proof.email)
    people.add_contact(db, account_id, proof.email, verified=True)
    log.record(db, Event("accounts.address.added", account=account_id, personal={"email": proof.email}))
    outbox.send(db, account_id, "address_added", {"address": linking.masked(proof.email)}, to=before)


def forget_asked(db: Db, account_id: str) -> None:
    """Let go of addresses that were asked for and not confirmed: whoever was in the account may have asked."""
    db.execute(
        update(AddressProof)
        .where(col(AddressProof.account_id) == account_id, col(AddressProof.spent_at).is_(None))
        .values(spent_at=clock.now())
    )


def own(db: Db, account_id: str, contact_id: str) -> Contact:
    """Return one of an account's addresses; raise NotFound for anybody else's."""
    contact = db.get(Contact, contact_id)
    if contact is None or contact.account_id != account_id:
        raise NotFound
    return contact


def remove(db: Db, account_id: str, contact_id: str) -> None:
    """Stop sending notices to an address; it is told, as all are. The last confirmed one stays. Raises Conflict."""
    people.lock(db, account_id)
    contact = own(db, account_id, contact_id)
    others = [one for one in people.contacts(db, account_id) if one.id != contact.id]
    if not others or (contact.verified_at is not None and all(one.verified_at is None for one in others)):
        raise Conflict("This is your only confirmed address. Add and confirm another one first, then remove this one.")
    outbox.send(db, account_id, "address_removed", {"address": linking.masked(contact.email)})
    log.record(db, Event("accounts.address.removed", account=account_id, personal={"email": contact.email}))
    db.delete(contact)
    db.flush()


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
