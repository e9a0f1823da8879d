"""Create, pause and end the accounts of people; keep the addresses their notices go to."""

import unicodedata
from collections.abc import Iterable

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import sessions
from idp.accounts.tables import Account, Contact
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Conflict, Invalid, NotFound
from idp.notices import outbox
from idp.signals import epochs, revocations


def normalised_email(typed: str) -> str:
    """Return the one form of an address used for uniqueness, look-up and mail (security.md 39).

    NFKC, without surrounding spaces, lower case, the domain in its ASCII form. Raises Invalid.
    """
    text = unicodedata.normalize("NFKC", typed).strip().lower()
    name, at, domain = text.rpartition("@")
    try:
        domain = domain.encode("idna").decode() if domain else ""
    except UnicodeError:
        domain = ""
    printable = text.isprintable() and not any(c.isspace() or c in '<>,;:"()[]\\' for c in text)
    if not (at and name and "." in domain and printable and "@" not in name and len(text) <= 254):
        raise Invalid(fields={"email": "Enter an e-mail address, such as name@example.com."})
    return f"{name}@{domain}"


def create(
    db: Db,
    *,
    display_name: str,
    emails: Iterable[str] = (),
    ial: int = 1,
    status: str = "active",
    given_name: str | None = None,
    family_name: str | None = None,
    locale: str = "en",
    account_id: str | None = None,
    emails_verified: bool = False,
) -> Account:
    """Create the one account of a person (T-19: a person, never a team). Raises Invalid."""
    name = " ".join(unicodedata.normalize("NFKC", display_name).split())
    if not name or len(name) > 200 or not name.isprintable():
        raise Invalid(fields={"display_name": "Enter the person's name, at most 200 characters."})
    account = Account(
        display_name=name, ial=ial, status=status, given_name=given_name, family_name=family_name, locale=locale
    )
    if account_id is not None:
        account.id = account_id
    db.add(account)
    db.flush()
    for email in emails:
        add_contact(db, account.id, email, verified=emails_verified)
    log.record(
        db,
        Event(
            "accounts.account.created",
            account=account.id,
            details={"status": status, "ial": ial},
            personal={"display_name": name},
        ),
    )
    epochs.changed_account(db, account.id)
    return account


def add_contact(db: Db, account_id: str, email: str, *, verified: bool = False) -> Contact:
    """Keep an address for notices; the same address twice stays one row."""
    address = normalised_email(email)
    known = db.exec(
        select(Contact).where(col(Contact.account_id) == account_id, col(Contact.email) == address)
    ).one_or_none()
    contact = known or Contact(account_id=account_id, email=address)
    if verified and contact.verified_at is None:
        contact.verified_at = clock.now()
    db.add(contact)
    db.flush()
    if known is None:
        log.record(
            db,
            Event(
                "accounts.account.changed",
                account=account_id,
                details={"added": "contact"},
                personal={"email": address},
            ),
        )
    return contact


def contacts(db: Db, account_id: str) -> list[Contact]:
    """Return the addresses notices go to."""
    return list(db.exec(select(Contact).where(col(Contact.account_id) == account_id).order_by(col(Contact.created_at))))


def find(db: Db, account_id: str) -> Account:
    """Return an account or raise NotFound."""
    account = db.get(Account, account_id)
    if account is None:
        raise NotFound
    return account


def lock(db: Db, account_id: str) -> Account:
    """Return an account and keep others from changing what hangs on it until this transaction ends."""
    account = db.exec(
        select(Account).where(col(Account.id) == account_id).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()
    if account is None:
        raise NotFound
    return account


def rename(db: Db, account_id: str, display_name: str) -> None:
    """Change the name shown; changes nothing about access (invariant 3)."""
    account = lock(db, account_id)
    account.display_name = " ".join(display_name.split())
    db.add(account)
    log.record(
        db,
        Event("accounts.account.changed", account=account_id, personal={"display_name": account.display_name}),
    )


def correct(db: Db, account_id: str, **facts: object) -> None:
    """Correct a person's names, language or identity assurance; a lower assurance takes access away."""
    account = lock(db, account_id)
    unknown = facts.keys() - {"display_name", "given_name", "family_name", "locale", "ial"}
    if unknown:
        raise TypeError(f"not facts of a person: {sorted(unknown)}")
    less = isinstance(facts.get("ial"), int) and int(str(facts["ial"])) < account.ial
    for name, value in facts.items():
        setattr(account, name, value)
    db.add(account)
    db.flush()
    log.record(
        db,
        Event(
            "accounts.account.changed",
            account=account_id,
            details={"changed": sorted(facts), "ial": account.ial},
            personal={"display_name": account.display_name},
        ),
    )
    epochs.changed_account(db, account_id, takes_away=less)


def suspend(db: Db, account_id: str, *, because: str, by: str) -> None:
    """Put an account on hold: reversible, nothing is deleted; its sessions end now (security.md 21)."""
    account = lock(db, account_id)
    if account.status in ("ceased", "closed"):
        raise Conflict("This account has already ended.")
    if account.status == "suspended":
        return
    account.status = "suspended"
    _taken_away(db, account, "accounts.account.suspended", because=because, by=by)


def reinstate(db: Db, account_id: str, *, because: str, by: str) -> None:
    """Lift a hold; sessions do not come back, signing in does."""
    account = lock(db, account_id)
    if account.status != "suspended":
        raise Conflict("This account is not on hold.")
    account.status = "active"
    db.add(account)
    log.record(db, Event("accounts.account.reinstated", account=account_id, reason=because, details={"by": by}))
    epochs.changed_account(db, account_id)
    outbox.send(db, account_id, "account_reinstated", {})


def cease(db: Db, account_id: str, *, because: str, by: str) -> None:
    """End a person's eligibility (T-17). Grants and affiliations are ended by `leaving`, in the same step."""
    account = lock(db, account_id)
    if account.status in ("ceased", "closed"):
        return
    account.status = "ceased"
    account.ceased_at = clock.now()
    account.ceased_because = because
    _taken_away(db, account, "accounts.account.ceased", because=because, by=by)


def activate(db: Db, account_id: str) -> None:
    """Make an invited person's account active; does nothing to one that is already."""
    account = lock(db, account_id)
    if account.status in ("invited", "verified"):
        account.status = "active"
        db.add(account)
        log.record(db, Event("accounts.account.changed", account=account_id, details={"status": "active"}))
        epochs.changed_account(db, account_id)


def _taken_away(db: Db, account: Account, event: str, *, because: str, by: str) -> None:
    db.add(account)
    log.record(db, Event(event, account=account.id, reason=because, details={"by": by}))
    sessions.end_all(db, account.id, because=because, by=by)
    epochs.changed_account(db, account.id, takes_away=True)
    revocations.announce(db, "account_ended", reason=because, account_id=account.id)
    outbox.send(db, account.id, event.removeprefix("accounts.").replace(".", "_"), {"reason": because})
