"""The `via` of a token: through which delegations a third party's person acts for the practice (decisions.md 4)."""

from collections.abc import Sequence
from typing import Any

from idp.database.lane import Sql

LINKS = Sql(
    "SELECT id, partner_id, parent_id, starts_at, ends_at, ended_at, status FROM delegation WHERE provider_id = $1"
)
"""$1 the practice. Any change of a delegation raises the policy epoch, which the token's commit checks."""


def through(rows: Sequence[Sequence[Any]], partner_id: str, at: int) -> tuple[str, ...]:
    """Return the delegations in force that lead to the person's company at a moment, the practice's own first.

    Of several chains one follows the other. Which of them a single answer rests on is the decision's to say.
    """
    links = {row[0]: row for row in rows}
    found: list[str] = []
    for row in sorted(rows, key=lambda one: (one[3], one[0])):
        chain = _chain(links, row, at) if row[1] == partner_id else []
        found += [link for link in chain if link not in found]
    return tuple(found)


def _chain(links: dict[str, Sequence[Any]], row: Sequence[Any], at: int) -> list[str]:
    chain: list[str] = []
    link: Sequence[Any] | None = row
    while link is not None and link[0] not in chain:
        _, _, parent, starts, ends, ended, status = link
        if status != "active" or ended is not None or starts > at or (ends is not None and ends <= at):
            return []
        chain.insert(0, link[0])
        if parent is None:
            return chain
        link = links.get(parent)
    return []
