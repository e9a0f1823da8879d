"""What follows from a look: scores are kept with their reasons, and a line that was crossed is handed to the cases.

A notice asks the person privately, a case goes to the desk, containment ends what is open; nothing is ever taken away
by a finding (domain.md 10). How far findings go by themselves is the operator's to say (`sharing.most`).
"""

from collections.abc import Mapping
from datetime import timedelta

import orjson
from sqlalchemy import text
from sqlmodel import Session as Db

from idp import clock, configuration
from idp.audit import log
from idp.audit.events import Event
from idp.cases.finding import Finding, Reason
from idp.cases.opening import open_from_finding
from idp.sharing import words
from idp.sharing.detector import Crossed, Score
from idp.sharing.live.stored import Mark
from idp.sharing.live.watcher import Watcher
from idp.sharing.score import BANDS, weights

FRESH = timedelta(hours=1)
"""Containment answers what happens now: what is found later than this goes to the desk instead."""
_SCORE = text(
    "INSERT INTO sharing_score (account_id, what, log_odds, band, at, version, evidence, created_at) "
    "VALUES (:account, :what, :log_odds, :band, :at, :version, :evidence, :now) "
    "ON CONFLICT (account_id, what) DO UPDATE SET log_odds = excluded.log_odds, band = excluded.band, "
    "at = excluded.at, version = excluded.version, evidence = excluded.evidence"
)
_CLEAR = text("DELETE FROM sharing_score WHERE account_id = :account AND what = :what")
_DAY = text(
    "INSERT INTO sharing_day (account_id, what, day, log_odds, parts, version, created_at) "
    "VALUES (:account, :what, :day, :log_odds, :parts, :version, :now) "
    "ON CONFLICT (account_id, what, day) DO UPDATE SET log_odds = excluded.log_odds, parts = excluded.parts, "
    "version = excluded.version WHERE excluded.log_odds > sharing_day.log_odds"
)


def keep(db: Db, watcher: Watcher) -> None:
    """Keep the scores of a round and each day's highest."""
    now, version = clock.micros(clock.now()), weights().version
    rows = []
    for (account, what), (time, score) in watcher.scores.items():
        known = watcher.memory.accounts[account]
        evidence = known.evidence if what == "sharing" else known.takeover
        told = {kind: {"amount": s.amount, "at": s.at, "days": s.days, "seen": s.seen} for kind, s in evidence.items()}
        rows.append(
            {
                "account": account, "what": what, "log_odds": score.log_odds, "band": score.band,
                "at": round(time * 1e6), "version": version, "evidence": _json(told), "now": now,
            }
        )  # fmt: skip
    for account, what in watcher.cleared:
        db.execute(_CLEAR, {"account": account, "what": what})
    if rows:
        db.execute(_SCORE, rows)
    days = [
        {
            "account": account, "what": what, "day": words.day(number), "log_odds": score.log_odds,
            "parts": _json({one.kind: round(one.log_odds, 2) for one in score.reasons}), "version": version, "now": now,
        }
        for (account, what, number), score in watcher.highest.items()
    ]  # fmt: skip
    if days:
        db.execute(_DAY, days)


def found(db: Db, crossed: Crossed, score: Score, rests_on: Mapping[str, list[Mark]]) -> None:
    """Record that an account reached a line, and open a case or add to it, as far as findings go by themselves."""
    at = clock.from_micros(round(crossed.time * 1e6))
    marks = {one.kind: rests_on.get(f"{crossed.what} {one.kind}", []) for one in score.reasons}
    band = _acted_on(db, crossed.band, late=clock.now() - at > FRESH)
    newest = max((mark.record for of_kind in marks.values() for mark in of_kind), default=0)
    details = {
        "what": crossed.what, "line": crossed.band, "acted_on": band or "none", "score": crossed.score,
        "kinds": [one.kind for one in score.reasons], "weights": weights().version, "record": newest,
    }  # fmt: skip
    log.record(db, Event("security.score.crossed", account=crossed.account, reason=crossed.band, details=details))
    if band is None:
        return
    first = min((mark.at for of_kind in marks.values() for mark in of_kind), default=crossed.time)
    open_from_finding(
        db,
        Finding(
            account_id=crossed.account,
            kind=crossed.what,
            score=score.log_odds,
            band=band,
            reasons=tuple(
                Reason(one.kind, round(one.log_odds, 2), words.sentence(one.seen), one.days, _rows(marks[one.kind]))
                for one in score.reasons
            ),
            version=weights().version,
            begins=min(clock.from_micros(round(first * 1e6)), at),
            ends=at,
        ),
    )


def _acted_on(db: Db, band: str, *, late: bool) -> str | None:
    most = configuration.current(db).sharing.most
    if most == "score":
        return None
    acted = BANDS[min(BANDS.index(band), BANDS.index(most))]
    return "case" if acted == "containment" and late else acted


def _rows(marks: list[Mark]) -> tuple[dict[str, object], ...]:
    return tuple(
        {
            name: value
            for name, value in (
                ("record", mark.record), ("at", clock.iso(clock.from_micros(round(mark.at * 1e6)))),
                ("device", mark.device), ("network", mark.network), ("provider", mark.provider),
                ("session", mark.session), ("function", mark.function),
            )
            if value
        }
        for mark in marks
    )  # fmt: skip


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
