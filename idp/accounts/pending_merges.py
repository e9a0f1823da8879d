"""Merges that were begun with a proof of an account and rest on the session that was proved (security.md 29)."""

from sqlalchemy import update
from sqlmodel import Session as Db
from sqlmodel import col

from idp import clock
from idp.accounts.link_tables import PendingMerge


def let_go(db: Db, account_id: str) -> None:
    """End what was begun with a proof of this account: whoever comes to the same browser next can't finish it.

    Called where a session ends, but for one that a new sign-in of the same browser replaces: the other account of a
    merge is proved so.
    """
    db.execute(
        update(PendingMerge)
        .where(col(PendingMerge.account_id) == account_id, col(PendingMerge.spent_at).is_(None))
        .values(spent_at=clock.now())
    )
