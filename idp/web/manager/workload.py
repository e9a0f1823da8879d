"""What a manager looks at for each person of a review: last use, age, conflicts, and a suggestion with its cause."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session as Db
from sqlmodel import col, func, select

from idp import clock
from idp.accounts.tables import TokenFamily
from idp.entitlements import catalog, duties
from idp.entitlements.duties import Clash
from idp.wam import authority, holdings, roster
from idp.wam.roster import Entry
from idp.wam.tables import Review, ReviewItem

IDLE = timedelta(days=90)
"""Not seen for this long: removing is suggested."""


@dataclass(frozen=True, slots=True)
class Row:
    """One person of a review and what there is to know."""

    item: ReviewItem
    entry: Entry
    functions: int
    names: list[str]
    """What the functions are called."""
    sensitive: list[str]
    since: datetime
    last_used_at: datetime | None
    """When an app last got a token for this person at this practice."""
    conflicts: list[Clash]
    excepted: bool
    suggestion: str
    """Empty: as usual."""
    own: bool
    said: str | None


def rows(
    db: Db, review: Review, people: Sequence[ReviewItem], *, by: str, typed: dict[str, str] | None = None
) -> list[Row]:
    """Return these people of a review, those that need a look first, then by name."""
    entries = roster.entries_of(db, review.provider_id, [item.account_id for item in people])
    used = _last_used(db, review.provider_id, [item.account_id for item in people])
    known = {f.key: f for side in (False, True) for f in catalog.everything(db, insurer_side=side)}
    made = []
    for item in people:
        entry = entries.get(item.account_id)
        held = [
            g for g in authority.not_ended(db, review.provider_id, item.account_id, review.line) if g.effect == "allow"
        ]
        if entry is None or not held:
            continue
        keys = {g.entitlement for g in held} | ({"access.manage"} if entry.manages else set())
        clashes = duties.clashes(db, keys, account_id=item.account_id, provider_id=review.provider_id, line=review.line)
        open_ = [clash for clash in clashes if clash.exception is None]
        made.append(
            Row(
                item,
                entry,
                len(held),
                sorted({known[g.entitlement].name for g in held}),
                sorted(
                    {
                        holdings.WORDS[known[key].sensitivity]
                        for key in keys
                        if key in known and known[key].sensitivity >= 5
                    }
                ),
                min(g.not_before for g in held),
                used.get(item.account_id),
                clashes,
                bool(clashes) and not open_,
                _suggestion(entry.last_seen_at, bool(open_)),
                item.account_id == by,
                (typed or {}).get(item.account_id, item.answer),
            )
        )
    made.sort(key=lambda r: (not r.suggestion, r.entry.account.display_name.lower(), r.item.account_id))
    return made


def _suggestion(seen: datetime | None, conflict: bool) -> str:
    if conflict:
        return "Two functions that don't go together: change"
    if seen is None:
        return "Never seen here: remove?"
    return "Not seen for 90 days: remove?" if seen < clock.now() - IDLE else ""


def _last_used(db: Db, provider_id: str, ids: Sequence[str]) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for start in range(0, len(ids), 500):
        query = select(TokenFamily.account_id, func.max(col(TokenFamily.started_at))).where(
            col(TokenFamily.provider_id) == provider_id, col(TokenFamily.account_id).in_(ids[start : start + 500])
        )
        found |= dict(db.exec(query.group_by(col(TokenFamily.account_id))).all())
    return found
