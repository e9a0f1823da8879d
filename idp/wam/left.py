"""People who left a practice: found again by name, because their page keeps what was done and its receipts (W-5)."""

from datetime import datetime

from sqlalchemy import ColumnElement
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, func, or_, select

from idp import clock
from idp.accounts.tables import Account
from idp.providers.tables import Affiliation

MOST = 50
"""People a search shows; more words find the others."""


def found(db: Session, provider_id: str, words: str) -> list[tuple[Account, datetime]]:
    """Return whose name has every word and whose tie to the practice is over, with when it ended; newest first."""
    here = col(Affiliation.provider_id) == provider_id
    lives = or_(col(Affiliation.ends_at).is_(None), col(Affiliation.ends_at) > clock.now())
    working = select(Affiliation.account_id).where(here, col(Affiliation.ended_at).is_(None), lives)
    query = (
        sql_select(col(Account.id), _last())
        .join(Affiliation, col(Affiliation.account_id) == col(Account.id))
        .where(here, col(Account.id).not_in(working), col(Account.merged_into).is_(None))
    )
    for word in words.split()[:5]:
        query = query.where(func.lower(col(Account.display_name)).contains(word.lower(), autoescape=True))
    query = query.group_by(col(Account.id)).order_by(_last().desc(), col(Account.id)).limit(MOST)
    ended = {str(account): at for account, at in db.execute(query).all()}
    people = {one.id: one for one in db.exec(select(Account).where(col(Account.id).in_(ended))).all()}
    return [(people[account], at) for account, at in ended.items()]


def when(db: Session, provider_id: str, account_id: str) -> datetime | None:
    """Return when a person's last tie to the practice ended; None while one has no end."""
    here = (col(Affiliation.provider_id) == provider_id, col(Affiliation.account_id) == account_id)
    last: datetime | None = db.execute(sql_select(_last()).where(*here)).scalar_one()
    return last


def _last() -> ColumnElement[datetime]:
    return func.max(func.coalesce(col(Affiliation.ended_at), col(Affiliation.ends_at)))
