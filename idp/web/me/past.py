"""What ended of one's own lately: at which practice, when, and whom to ask (RU-5, RU-9)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.providers.tables import Affiliation, Provider

LATELY = timedelta(days=90)
"""How long the home page says that work for a practice ended."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A practice one works for no longer."""

    practice: str
    at: datetime
    own: bool
    """One left oneself."""
    helper: str
    """Who helps there, as the practice says; empty where it says nobody."""


def ended(db: Db, account_id: str) -> list[Ended]:
    """Return the practices a person's work ended at within LATELY and has not begun anew, the newest first.

    Nothing says why: a reason such as misuse is told by people, in a notice of its own.
    """
    now = clock.now()
    rows = db.exec(
        select(Affiliation, Provider)
        .join(Provider, col(Provider.id) == col(Affiliation.provider_id))
        .where(col(Affiliation.account_id) == account_id)
    ).all()
    over = [(_end(row), row, provider) for row, provider in rows]
    live = {provider.id for end, _, provider in over if end is None or end > now}
    newest: dict[str, Ended] = {}
    for end, row, provider in sorted(over, key=lambda one: one[0] or now, reverse=True):
        if end is None or provider.id in live or provider.id in newest or end < now - LATELY:
            continue
        helper = " ".join(part for part in (provider.help_name, provider.help_contact) if part)
        newest[provider.id] = Ended(provider.name, end, row.ended_by == account_id, helper)
    return list(newest.values())


def _end(row: Affiliation) -> datetime | None:
    ends = [one for one in (row.ended_at, row.ends_at) if one is not None]
    return min(ends) if ends else None
