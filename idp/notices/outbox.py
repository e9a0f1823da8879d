"""Write mail in the same transaction as the fact it tells; deliver it later, with retries."""

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.audit import log, origin
from idp.audit.events import Event
from idp.notices import catalogue
from idp.notices.tables import Outbox


def send(
    db: Db, account_id: str | None, template: str, facts: Mapping[str, Any], *, to: tuple[str, ...] | None = None
) -> int:
    """Write one mail to each of the account's addresses (or to `to`); return how many.

    `facts` are what the template of `notices.catalogue` needs; never codes that outlive the mail.
    """
    missing = catalogue.facts_of(template) - facts.keys()
    if missing:  # here, where a test sees it, and not in the worker that sends it
        raise ValueError(f"the mail {template} needs {sorted(missing)}")
    addresses = to if to is not None else _addresses(db, account_id or "")
    for address in addresses:
        db.add(Outbox(account_id=account_id, recipient=address, template=template, facts=dict(facts)))
    db.flush()
    if addresses:
        event = Event("notices.mail.written", account=account_id, details={"template": template, "n": len(addresses)})
        log.record(db, event)
    return len(addresses)


def _addresses(db: Db, account_id: str) -> tuple[str, ...]:
    # Contacts belong to accounts, a layer above; only the two columns are read here, by name.
    from sqlalchemy import text

    rows = db.execute(
        text("SELECT email FROM contact WHERE account_id = :a ORDER BY created_at, id"), {"a": account_id}
    )
    return tuple(str(row[0]) for row in rows)


def recent(db: Db, limit: int = 100) -> list[Outbox]:
    """Return the newest mails, for the mailbox page of development."""
    return list(db.exec(select(Outbox).order_by(col(Outbox.id).desc()).limit(limit)))


def where_from() -> str:
    """Return where a change came from, as mails say it."""
    return origin.current().address or "our service"
