"""What the log says happened at one practice, for its access managers: its own records, in their lines, in plain words.

What the insurer's security staff do there (cases, searches, detection) stands in the log too and is not theirs to see.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, col, select

from idp.accounts.tables import Account
from idp.audit import search, windows
from idp.audit.events import VOCABULARY
from idp.audit.leaf import raw
from idp.audit.search import Filters
from idp.audit.tables import AuditRecord
from idp.entitlements.tables import Entitlement
from idp.providers.tables import Affiliation

KINDS = {
    "entitlements.grant.": "Access given, changed and ended",
    "entitlements.decision.": "What apps asked, and our answers",
    "entitlements.emergency.": "Emergency access",
    "providers.affiliation.": "People who came and left",
    "registration.invitation.": "Invitations",
    "wam.": "What access managers did",
}
"""The areas of the vocabulary that are a practice's own; each a beginning of names."""
PEOPLE = 500
"""People offered to choose from."""


@dataclass(frozen=True)
class Here(Filters):
    """Filters within one practice: `provider` is always set, events are those of `KINDS`."""

    def named(self, column: Callable[[str], Any]) -> dict[str, list[ColumnElement[bool]]]:
        """Return the conditions, with the one that keeps to what is the practice's own."""
        event = column("event")
        own = or_(*(and_(event >= start, event < f"{start[:-1]}/") for start in KINDS))
        return {**super().named(column), f"{windows.BESIDE} own": [own]}


@dataclass(frozen=True, slots=True)
class Happened:
    """One record as a page shows it."""

    seq: int
    at: datetime
    what: str
    by: str
    about: str
    function: str
    outcome: str
    reason: str
    app: str
    account_id: str
    """Whose page tells more: of a person who works or worked here; empty for anybody else."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of them."""

    rows: list[Happened]
    found: search.Page


def page(db: Session, filters: Here, lines: list[str], cursor: str | None = None) -> Listed:
    """Return a page, newest first, of what happened in these lines; raise Invalid for a cursor of another search."""
    found = search.find(db, filters, cursor)
    return Listed(_told(db, str(filters.provider), found.rows, lines), found)


def every(db: Session, filters: Here, lines: list[str], most: int) -> Iterator[Happened]:
    """Return everything that matches, newest first, at most so many records of the log."""
    cursor, left = None, most
    while left > 0:
        listed = page(db, filters, lines, cursor)
        yield from listed.rows[:left]
        left -= search.PAGE
        cursor = listed.found.older
        if cursor is None:
            return


def people(db: Session, provider_id: str) -> list[tuple[str, str]]:
    """Return the ids and names of who works or worked here, by name."""
    here = select(Affiliation.account_id).where(col(Affiliation.provider_id) == provider_id)
    query = select(Account.id, Account.display_name).where(col(Account.id).in_(here))
    found = db.execute(query.order_by(col(Account.display_name), col(Account.id)).limit(PEOPLE)).all()
    return [(str(who), str(name)) for who, name in found]


def named(db: Session, provider_id: str, account_id: str) -> list[tuple[str, str]]:
    """Return the id and name of one person who works or worked here; nothing for anybody else."""
    here = select(Affiliation.account_id).where(col(Affiliation.provider_id) == provider_id)
    query = select(Account.id, Account.display_name).where(col(Account.id) == account_id, col(Account.id).in_(here))
    return [(str(who), str(name)) for who, name in db.execute(query).all()]


def _told(db: Session, provider_id: str, rows: Any, lines: list[str]) -> list[Happened]:
    numbers = [row.seq for row in rows]
    if not numbers:
        return []
    moments = [row.at for row in rows]  # they name the months in which the records lie
    stored = select(col(AuditRecord.seq), col(AuditRecord.leaf)).where(
        col(AuditRecord.seq).in_(numbers), col(AuditRecord.at).between(min(moments), max(moments))
    )
    said = {seq: orjson.loads(raw(leaf)) for seq, leaf in db.execute(stored).all()}
    givers = {row.seq: giver(said.get(row.seq)) for row in rows}
    mentioned = {who for row in rows for who in (row.actor_id, row.account_id, givers[row.seq]) if who}
    here = select(Affiliation.account_id).where(col(Affiliation.provider_id) == provider_id)
    known = select(Account.id, Account.display_name).where(col(Account.id).in_(mentioned), col(Account.id).in_(here))
    names = {str(who): str(name) for who, name in db.execute(known).all()}
    keys = {row.entitlement for row in rows if row.entitlement}
    functions = dict(db.execute(select(Entitlement.key, Entitlement.name).where(col(Entitlement.key).in_(keys))).all())
    return [_one(row, names, functions, givers[row.seq]) for row in rows if _line(said.get(row.seq)) in (None, *lines)]


def _line(said: Any) -> str | None:
    """Return the line of business a record is of; None where it is of none."""
    details = said.get("details") if isinstance(said, dict) else None
    line = details.get("line") if isinstance(details, dict) else None
    return line if isinstance(line, str) else None


def giver(said: Any) -> str | None:
    """Return whose decision a record says it was, where it names a person: who gave, ended, or invited."""
    details = said.get("details") if isinstance(said, dict) else None
    found = (details.get("by") or details.get("invited_by")) if isinstance(details, dict) else None
    return found if isinstance(found, str) and found.startswith("acc_") else None


def done_by(actor: str, given_by: str) -> str:
    """Say who did something, and by whose decision where that is another: an invitation is taken up by its person."""
    if not given_by or given_by == actor:
        return actor
    return f"{actor}, by decision of {given_by}" if actor else given_by


def _one(row: Any, names: dict[str, str], functions: dict[Any, Any], given_by: str | None) -> Happened:
    def who(account: str | None) -> str:
        if account is None:
            return ""
        return names.get(account, "Somebody outside the practice" if account.startswith("acc_") else "The service")

    return Happened(
        row.seq,
        row.at,
        VOCABULARY.get(row.event, row.event),
        "An app"
        if row.actor_id and row.actor_id == row.client_id
        else done_by(who(row.actor_id), who(given_by)) or "The service",
        who(row.account_id),
        str(functions.get(row.entitlement, row.entitlement or "")),
        row.outcome.replace("_", " "),
        (row.reason or "").replace("_", " "),
        row.client_id or "",
        row.account_id if row.account_id in names else "",
    )
