"""How pages that explain a decision name whoever gave what it rests on: never an id where there is a name."""

from collections.abc import Iterable

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts.tables import Account
from idp.entitlements.defaults import DESK_PAUSE
from idp.entitlements.explaining import Source

OPERATOR = "the service's operator"
REASONS = {
    "invited": "came with an invitation",
    "appointment": "appointed as access manager",
    "delegation": "delegated to the company",
    "applied from configuration": "set up by the service",
}
"""Reasons the service wrote itself, in words."""
_OURS = {"operator": OPERATOR, "system": "the service itself"}


def called(who: str) -> str | None:
    """Return how whoever is no person is called, None for a person."""
    return _OURS.get(who) or (None if who else "nobody recorded")


def names(db: Db, sources: Iterable[Source]) -> dict[str, str]:
    """Return by a source's id who gave it; a pause by the security desk names the desk, not one of its people."""
    given = {one.id: one.by for one in sources}
    people = dict(
        db.exec(select(Account.id, Account.display_name).where(col(Account.id).in_(set(given.values())))).all()
    )
    by = people | _OURS | {"": "nobody recorded"}
    return {
        name: "the security desk" if name.startswith(DESK_PAUSE) else by.get(who, who) for name, who in given.items()
    }
