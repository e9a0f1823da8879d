"""Accounts that were made one are one human: who works on a case and whom it is about go by that (security.md 65)."""

from collections.abc import Iterable

from sqlalchemy import Select, literal
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts.tables import Account

_LONGEST = 20
"""Merges in a row that are followed."""


def survivor(db: Db, account_id: str) -> str:
    """Return the account that took this one over, or took that one over, and so on; else this one."""
    for _ in range(_LONGEST):
        row = db.exec(select(Account.merged_into).where(col(Account.id) == account_id)).first()
        if row is None:
            return account_id
        account_id = row
    return account_id


def taken_over(account_id: str) -> "Select[tuple[str]]":
    """Return, as a part of a statement, the ids of an account and of all it took over."""
    mine = select(literal(account_id).label("id")).cte("one_human", recursive=True)
    mine = mine.union(select(col(Account.id)).join(mine, col(Account.merged_into) == mine.c.id))
    return select(mine.c.id)


def by_account(db: Db, ids: Iterable[str]) -> dict[str, str]:
    """Return every account that one of some is or took over, with the one of them it belongs to."""
    own = col(Account.id)
    mine = select(own.label("id"), own.label("root")).where(own.in_(list(ids))).cte("humans", recursive=True)
    mine = mine.union(select(own, mine.c.root).join(mine, col(Account.merged_into) == mine.c.id))
    return {row[0]: row[1] for row in db.execute(select(mine.c.id, mine.c.root))}


def same(db: Db, account_id: str) -> frozenset[str]:
    """Return every account of the human an account belongs to, itself included."""
    return frozenset(db.execute(taken_over(survivor(db, account_id))).scalars()) | {account_id}
