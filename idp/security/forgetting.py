"""What was reported about people is destroyed with their person fields (security.md 76)."""

from collections.abc import Collection

from sqlalchemy import update
from sqlmodel import Session as Db
from sqlmodel import col

from idp.security.tables import SecurityReport


def forget(db: Db, accounts: Collection[str]) -> None:
    """Destroy the words of reports about these accounts; that there was one, and when, stays."""
    db.execute(
        update(SecurityReport)
        .where(col(SecurityReport.about_id).in_(accounts))
        .values(words=b"", about=None, outcome="")
        .execution_options(synchronize_session=False)
    )
