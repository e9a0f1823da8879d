"""The day's digest for the security desk: one mail to each who may search the log, once a day, from seven o'clock."""

from zoneinfo import ZoneInfo

from sqlalchemy import CursorResult, text
from sqlmodel import Session as Db

from idp import clock
from idp.audit import log
from idp.audit.events import Event
from idp.cases import staff
from idp.casework import listing
from idp.database import Database, transaction
from idp.notices import outbox
from idp.security import access_reviews

FROM_HOUR = 7
_TAKE = text("INSERT INTO desk_digest (day, created_at) VALUES (:day, :now) ON CONFLICT DO NOTHING")


def run(database: Database) -> bool:
    """Write today's digest where nobody did yet: the row of the day is taken in the same transaction."""
    now = clock.now()
    local = now.astimezone(ZoneInfo(database.settings.time_zone))
    if local.hour < FROM_HOUR:
        return False
    with transaction(database) as db:
        taken = db.execute(_TAKE, {"day": f"{local:%Y-%m-%d}", "now": clock.micros(now)})
        assert isinstance(taken, CursorResult)
        if taken.rowcount == 1:
            _write(db, clock.day_in_words(now, database.settings.time_zone))
    return False


def _write(db: Db, day: str) -> None:
    counts = {name: (title, len(look(db))) for name, (title, look) in access_reviews.KINDS.items()}
    most = access_reviews.MOST
    lines = "\n".join(f"{title}: {count}{' or more' if count >= most else ''}" for title, count in counts.values())
    readers = staff.holders(db, "audit.search")
    for account_id in readers:
        outbox.send(db, account_id, "desk_digest", {"day": day, "cases": _cases(db, account_id), "lines": lines})
    details = {"readers": len(readers)} | {name: count for name, (_, count) in counts.items()}
    log.record(db, Event("security.digest.written", details=details))


def _cases(db: Db, reader: str) -> str:
    """Say what waits in cases, never counting one about the reader."""
    desk = listing.at_desk(db, by=reader)
    counted = {
        "Open": desk.cases,
        "Of them new, to be taken up": desk.new,
        "Of them with an answer to read": desk.answered,
        "Appeals that wait for an answer": desk.appeals,
    }
    return "\n".join(f"{title}: {count}" for title, count in counted.items())
