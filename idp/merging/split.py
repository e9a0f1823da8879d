"""Undo what access support finds wrong: two people in one account become two, a merge or a link is taken back.

Nothing is guessed: the account that was there keeps what it holds, the other begins with nothing but its logins,
and everything of both is signed out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import journal, linking, people, recovery
from idp.accounts.link_tables import LinkEntry, LinkOperation
from idp.accounts.tables import Contact, Factor, KnownDevice, Login
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements.tables import Grant
from idp.errors import Conflict, Invalid
from idp.leaving import people as leaving
from idp.merging import access, belonging, second_steps
from idp.merging.merge import move_logins
from idp.notices import outbox
from idp.registration import moving
from idp.signals import epochs


@dataclass(frozen=True, slots=True)
class Split:
    """What a split did, and what somebody has to look at."""

    operation: LinkOperation
    new_account: str
    factors_ended: list[str] = field(default_factory=list)
    review: list[str] = field(default_factory=list)
    """Grants given since the wrong link; who gave them says for whom they were meant."""


def split(db: Db, account_id: str, login_ids: Sequence[str], *, name: str, by: str, because: str) -> Split:
    """Take logins of somebody else out of an account, into one of their own that holds nothing yet.

    What was added since the first of these logins came (addresses, second steps) is not the first person's for
    certain: addresses go along, second steps end. Raises Invalid, Conflict.
    """
    _require_reason(because)
    account = people.lock(db, account_id)
    live = linking.logins(db, account_id)
    going = [one for one in live if one.id in set(login_ids)]
    if len(going) != len(set(login_ids)) or not going:
        raise Invalid(fields={"logins": "Choose logins of this account."})
    if len(going) == len(live):
        raise Invalid(fields={"logins": "At least one login stays with the account."})
    other = people.create(db, display_name=name, status="invited", locale=account.locale)
    made = LinkOperation(kind="split", account_id=account_id, other_id=other.id, by=by, because=because, moved={})
    db.add(made)
    db.flush()
    since = min(one.linked_at for one in going)
    contacts = _contacts_since(db, account_id, since)
    for contact in contacts:
        contact.account_id = other.id
        db.add(contact)
    ended = _end_factors_since(db, account_id, since)
    # A remembered device stands in for a second step: whose it was nobody can say now.
    db.execute(update(KnownDevice).where(col(KnownDevice.account_id) == account_id).values(remembered_until=None))
    review = list(
        db.exec(
            select(Grant.id).where(
                col(Grant.account_id) == account_id, col(Grant.ended_at).is_(None), col(Grant.created_at) >= since
            )
        )
    )
    applications = moving.end_since(db, account_id, since, reason="account_split")
    move_logins(db, going, to=other.id, operation_id=made.id, by=by, proof={"because": because})
    made.moved = {
        "applications_ended": applications,
        "logins": [one.id for one in going],
        "contacts": [one.id for one in contacts],
        "factors_ended": ended,
        "review": review,
    }
    db.add(made)
    for one in (account_id, other.id):
        leaving.sign_out(db, one, because="account_split", by=by)
        recovery.stop_all(db, one)  # whose first proof that was, nobody can say now
        outbox.send(db, one, "account_split", {})
    details = {"other": other.id, "operation": made.id, "by": by, "logins": made.moved["logins"], "review": review}
    details["applications_ended"] = applications
    log.record(db, Event("accounts.account.split", account=account_id, reason=because, details=details))
    return Split(made, other.id, ended, review)


def undo_operation(db: Db, operation_id: str, *, by: str, because: str) -> LinkOperation:
    """Take a merge or a split back as far as it still stands; everything of both accounts is signed out.

    Raises NotFound, Conflict.
    """
    _require_reason(because)
    found = journal.operation(db, operation_id)
    for one in sorted((found.account_id, found.other_id)):
        people.lock(db, one)
    journal.mark_undone(db, found, by=by)
    if found.kind == "merge":
        _unmerge(db, found, by=by)
    else:
        _move_back(db, found, source=found.other_id, target=found.account_id, by=by)
        _addresses_back(db, found, source=found.other_id, target=found.account_id)
        leaving.close(db, found.other_id, because="split_undone", by=by, into=found.account_id)
    for one in (found.account_id, found.other_id):
        leaving.sign_out(db, one, because="operation_undone", by=by)
        recovery.stop_all(db, one)
    details = {"operation": found.id, "kind": found.kind, "other": found.other_id, "by": by}
    log.record(db, Event("accounts.operation.undone", account=found.account_id, reason=because, details=details))
    return found


def undo_entry(db: Db, entry_id: str, *, by: str, because: str) -> LinkEntry:
    """Take back one line: a link is removed, a removal restored. Raises Conflict where that no longer can be."""
    _require_reason(because)
    entry = journal.entry(db, entry_id)
    people.lock(db, entry.account_id)
    login = db.get(Login, entry.login_id)
    if entry.act == "moved" or login is None:
        raise Conflict("This line belongs to a merge or split. Undo that as a whole.")
    if login.account_id != entry.account_id:
        raise Conflict("The login has moved to another account since.")
    journal.mark_undone(db, entry, by=by)
    if entry.act == "linked":
        if login.ended_at is not None:
            raise Conflict("The login is removed already.")
        if not linking.usable(db, entry.account_id) - {login.id}:
            raise Conflict("It is the account's only way in. Split the account instead.")
        linking.take_off(db, login.id, by=by, because="link_undone")
    else:
        _restore(db, login)
    details: dict[str, Any] = {"entry": entry.id, "act": entry.act, "login": login.id, "by": by}
    log.record(db, Event("accounts.login.undone", account=entry.account_id, reason=because, details=details))
    return entry


def _addresses_back(db: Db, found: LinkOperation, *, source: str, target: str) -> None:
    for contact_id in found.moved.get("contacts", []):
        contact = db.get(Contact, contact_id)
        if contact is not None and contact.account_id == source:
            contact.account_id = target
            db.add(contact)
    db.flush()


def _unmerge(db: Db, found: LinkOperation, *, by: str) -> None:
    kept, closed = found.account_id, found.other_id
    stayed = people.find(db, kept)
    if stayed.merged_into is not None:
        raise Conflict("The account that stayed became part of another one since. Undo that merge first.")
    if stayed.status == "closed":
        raise Conflict("The person closed the account for good since. There is nothing left to give back.")
    leaving.reopen(db, closed, because="merge_undone", by=by)
    _move_back(db, found, source=kept, target=closed, by=by)
    left = found.moved.get("ended_login")
    if left is not None:
        login = db.get(Login, left)
        if login is not None and login.ended_at is not None:
            _restore(db, login)
    access.move_back(db, found.moved, source=kept, target=closed, by=by, reason="merge_undone")
    belonging.move_back(db, found.moved, source=kept, target=closed, by=by, reason="merge_undone")
    second_steps.move_back(db, found.moved, source=kept, target=closed)
    moving.move_back(db, found.moved.get("applications", []), source=kept, target=closed)
    moving.invitations(db, source=kept, target=closed, only=found.moved.get("invitations", []))
    _addresses_back(db, found, source=kept, target=closed)


def _move_back(db: Db, found: LinkOperation, *, source: str, target: str, by: str) -> None:
    """Move the logins that are still there; one removed or moved on since stays where it is."""
    logins = [one for one in linking.logins(db, source) if one.id in found.moved.get("logins", [])]
    move_logins(db, logins, to=target, operation_id=found.id, by=by, proof={"undone": found.id})


def _restore(db: Db, login: Login) -> None:
    login.ended_at, login.end_reason = None, None
    try:
        with db.begin_nested():
            db.add(login)
            db.flush()
    except IntegrityError:
        raise Conflict("This login opens another account by now.") from None
    epochs.changed_account(db, login.account_id)


def _contacts_since(db: Db, account_id: str, since: datetime) -> list[Contact]:
    mine = select(Contact).where(col(Contact.account_id) == account_id)
    every = list(db.exec(mine.order_by(col(Contact.created_at), col(Contact.id))))
    return [one for one in every if one.created_at >= since][: max(len(every) - 1, 0)]


def _end_factors_since(db: Db, account_id: str, since: datetime) -> list[str]:
    found = db.exec(
        select(Factor).where(
            col(Factor.account_id) == account_id, col(Factor.ended_at).is_(None), col(Factor.created_at) >= since
        )
    ).all()
    for one in found:
        one.ended_at = clock.now()
        db.add(one)
    return [one.id for one in found]


def _require_reason(because: str) -> None:
    if not because.strip() or len(because) > 200:
        raise Invalid(fields={"because": "Say why, in at most 200 characters."})
