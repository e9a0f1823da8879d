"""The link journal: every login that came to, left or moved between accounts, on whose proof, and what undid it.

Lines are added, never changed but for being marked undone, once.
"""

from typing import Any

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, or_, select

from idp import clock
from idp.accounts.link_tables import LinkEntry, LinkOperation
from idp.errors import Conflict, NotFound


def note(
    db: Db,
    act: str,
    *,
    account_id: str,
    login_id: str,
    by: str,
    because: str = "",
    proof: dict[str, Any] | None = None,
    from_account_id: str | None = None,
    operation_id: str | None = None,
) -> LinkEntry:
    """Write a line with the change it tells of."""
    entry = LinkEntry(
        account_id=account_id,
        login_id=login_id,
        act=act,
        from_account_id=from_account_id,
        operation_id=operation_id,
        by=by,
        because=because,
        proof=proof or {},
    )
    db.add(entry)
    db.flush()
    return entry


def of_account(db: Db, account_id: str) -> list[LinkEntry]:
    """Return the lines about an account, newest first."""
    mine = or_(col(LinkEntry.account_id) == account_id, col(LinkEntry.from_account_id) == account_id)
    return list(db.exec(select(LinkEntry).where(mine).order_by(col(LinkEntry.created_at).desc(), col(LinkEntry.id))))


def operations_of(db: Db, account_id: str) -> list[LinkOperation]:
    """Return the merges and splits an account was part of, newest first."""
    mine = or_(col(LinkOperation.account_id) == account_id, col(LinkOperation.other_id) == account_id)
    return list(db.exec(select(LinkOperation).where(mine).order_by(col(LinkOperation.created_at).desc())))


def entry(db: Db, entry_id: str) -> LinkEntry:
    """Return a line or raise NotFound."""
    found = db.get(LinkEntry, entry_id)
    if found is None:
        raise NotFound("The journal has no such line.")
    return found


def operation(db: Db, operation_id: str) -> LinkOperation:
    """Return a merge or split or raise NotFound."""
    found = db.get(LinkOperation, operation_id)
    if found is None:
        raise NotFound("The journal has no such merge or split.")
    return found


def mark_undone(db: Db, row: LinkEntry | LinkOperation, *, by: str) -> None:
    """Mark a line or an operation undone, once; raise Conflict where somebody was first."""
    table = type(row)
    marked = db.execute(
        update(table)
        .where(col(table.id) == row.id, col(table.undone_at).is_(None))
        .values(undone_at=clock.now(), undone_by=by)
    )
    assert isinstance(marked, CursorResult)
    if marked.rowcount != 1:
        raise Conflict("This was undone already.")
