"""What the desk is shown of scores: who is above a line now, one score explained, and how far the detector has read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.database import of
from idp.errors import NotFound
from idp.sharing import score, words
from idp.sharing.live import stored
from idp.sharing.live.networks import NEEDS_PLACES, File
from idp.sharing.live.stored import Mark
from idp.sharing.live.tables import SharingDay, SharingMemory, SharingPlace, SharingScore
from idp.sharing.score import Weights, weights
from idp.sharing.state import Standing

MOST = 200
HISTORY = timedelta(days=60)
WHAT = ("sharing", "takeover")


@dataclass(frozen=True, slots=True)
class Listed:
    """An account above the lowest line now."""

    account_id: str
    score: int
    log_odds: float
    band: str
    at: datetime
    """When evidence was last added."""
    kinds: tuple[str, ...]
    """Headings of its evidence, strongest first."""


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of evidence in a score."""

    kind: str
    title: str
    log_odds: float
    days: int
    words: str
    last: datetime
    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True)
class Explained:
    """One account's score now, with its reasons and its days."""

    account_id: str
    what: str
    score: int
    log_odds: float
    prior: float
    band: str
    at: datetime
    version: str
    parts: Sequence[Part]
    days: Sequence[SharingDay]
    lines: dict[str, float]


@dataclass(frozen=True, slots=True)
class State:
    """How the detector stands."""

    begun: bool
    read_until: datetime | None
    waiting: int
    """Sealed records not yet looked at."""
    version: str
    ranges: int
    """Ranges of addresses whose place is known."""
    problem: str
    """Why the operator's file of networks can't be read."""
    silent: tuple[str, ...]
    """Headings of evidence that can't be seen here."""


def listed(db: Db, what: str) -> list[Listed]:
    """Return accounts at or above the lowest line now, highest first. A stored score only ever fades."""
    by = weights(what)
    rows = db.exec(
        select(SharingScore)
        .where(col(SharingScore.what) == what, col(SharingScore.log_odds) >= by.lines["notice"])
        .order_by(col(SharingScore.log_odds).desc())
        .limit(MOST)
    ).all()
    found = []
    for row in rows:
        given = _parts(row, by)
        band = score.band(given, by)
        if band:
            total = by.prior + sum(given.values())
            kinds = tuple(words.KINDS[kind] for kind, part in _strongest(given) if part >= score.COUNTS)
            found.append(Listed(row.account_id, score.shown(total), total, band, row.at, kinds))
    return sorted(found, key=lambda one: (-one.log_odds, one.account_id))


def known(db: Db, account_id: str | None, what: str) -> bool:
    """Say whether anything that was seen of an account counts."""
    return account_id is not None and db.get(SharingScore, (account_id, what)) is not None


def explained(db: Db, account_id: str, what: str) -> Explained:
    """Explain an account's score as it is now. Raises NotFound where there is none."""
    row = db.get(SharingScore, (account_id, what)) if what in WHAT else None
    if row is None:
        raise NotFound("There is no score of this login: nothing was seen that speaks for it.")
    by = weights(what)
    given = _parts(row, by)
    kept = db.get(SharingMemory, ("account", account_id))
    marks = stored.account(kept.body).marks if kept is not None else {}
    since = words.day_of(clock.now() - HISTORY)
    days = db.exec(
        select(SharingDay)
        .where(SharingDay.account_id == account_id, SharingDay.what == what, SharingDay.day >= since)
        .order_by(col(SharingDay.day))
    ).all()
    parts = [
        Part(
            kind,
            words.KINDS[kind],
            part,
            int(row.evidence[kind]["days"]),
            words.sentence(str(row.evidence[kind]["seen"])),
            clock.from_micros(round(float(row.evidence[kind]["at"]) * 1e6)),
            marks.get(f"{what} {kind}", []),
        )
        for kind, part in _strongest(given)
        if part >= 0.05
    ]
    total = by.prior + sum(given.values())
    band = score.band(given, by)
    return Explained(
        account_id, what, score.shown(total), total, by.prior, band, row.at, by.version, parts, days, by.lines
    )


def state(db: Db) -> State:
    """Tell how far the detector has read, and what it can't see here."""
    place = db.get(SharingPlace, 1)
    end = db.execute(text("SELECT first_index + count FROM audit_batch ORDER BY first_index DESC LIMIT 1")).scalar()
    file = File(of(db).settings.networks_file)
    ranges = len(file.current().by_name)
    silent = () if any(one.latitude is not None for one in file.networks.by_name.values()) else NEEDS_PLACES
    return State(
        begun=place is not None,
        read_until=place.at if place else None,
        waiting=max(0, int(end or 0) - place.leaf) if place else int(end or 0),
        version=weights().version,
        ranges=ranges,
        problem=file.problem,
        silent=tuple(words.KINDS[kind] for kind in silent),
    )


def _parts(row: SharingScore, by: Weights) -> dict[str, float]:
    """Tell each kind's log-odds now: what was stored has faded since."""
    now = clock.micros(clock.now()) / 1e6
    standings = {kind: Standing(amount=float(one["amount"]), at=float(one["at"])) for kind, one in row.evidence.items()}
    return score.parts(standings, now, by)


def _strongest(given: dict[str, float]) -> list[tuple[str, Any]]:
    return sorted(given.items(), key=lambda one: -one[1])
