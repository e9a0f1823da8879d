"""Send what waits: each delivery is claimed by one conditional update, tried with growing pauses, then given up.

What waits for one receiver keeps its order; receivers do not wait for each other. One whose last try failed is
served by threads of its own, so a slow receiver costs its own events and nobody else's (a bulkhead).
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from sqlalchemy import CursorResult, func, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.audit import log, origin
from idp.audit.events import Event
from idp.database import Database, of, reading, transaction
from idp.oauth.tables import Client
from idp.outbound import Outbound, OutboundFailed
from idp.signals.stream_tables import SignalDelivery, SignalStream, SignalSubject
from idp.transmitter.signing import token_of

TRIES = 8
PAUSES = (1, 4, 15, 60, 300, 900, 1800)
"""Seconds after the first, second ... failure: eight tries within an hour."""
KEPT = timedelta(hours=24)
"""After this an event that never got its turn is given up: what it tells is old news."""
_HELD = timedelta(seconds=30)
"""How long a delivery belongs to the worker that took it; a worker that died gives it back by this."""
QUICK, SLOW = 6, 2
"""Threads for receivers that answer, and for those that did not the last time."""
_ROUND = 50
"""Deliveries to one receiver before the next one's turn."""


class Sender:
    """Sends in threads of its own; made once for each worker."""

    def __init__(self, database: Database, outbound: Outbound | None = None) -> None:
        self._database = database
        self._outbound = outbound or Outbound(development=database.settings.development)
        self._pools = {
            True: ThreadPoolExecutor(SLOW, thread_name_prefix="tell-slow"),
            False: ThreadPoolExecutor(QUICK, thread_name_prefix="tell"),
        }
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def send(self) -> bool:
        """Hand the receivers whose turn it is to the threads; return at once. True when somebody was."""
        with reading(self._database) as db:
            due = _due(db, clock.now())
        handed = False
        for receiver, failed in due:
            with self._lock:
                if receiver in self._busy:
                    continue
                self._busy.add(receiver)
            handed = True
            self._pools[failed].submit(self._serve, receiver)
        return handed

    def stop(self) -> None:
        """Let each thread finish what it is sending."""
        for pool in self._pools.values():
            pool.shutdown(wait=True, cancel_futures=True)

    def _serve(self, receiver: str) -> None:
        try:
            with origin.acting_as("system"):
                for _ in range(_ROUND):
                    if not self.one(receiver):
                        break
        finally:
            with self._lock:
                self._busy.discard(receiver)

    def one(self, receiver: str) -> bool:
        """Send the first that waits for a receiver; return whether it was delivered and the next may go."""
        now = clock.now()
        with transaction(self._database) as db:
            row = _first(db, receiver)
            if row is None or row.next_try_at > now:
                return False
            if row.created_at + KEPT <= now:
                give_up(db, row, "too_old")
                return True
            taken = db.execute(
                update(SignalDelivery)
                .where(
                    col(SignalDelivery.id) == row.id,
                    col(SignalDelivery.tries) == row.tries,
                    col(SignalDelivery.delivered_at).is_(None),
                    col(SignalDelivery.failed_at).is_(None),
                )
                .values(tries=row.tries + 1, next_try_at=now + _HELD)
                .execution_options(synchronize_session=False)
            )
            assert isinstance(taken, CursorResult)
            if taken.rowcount != 1:
                return False
            where = _where(db, row)
            if where is None:
                give_up(db, row, "receiver_gone")
                return True
            token = token_of(db, row, now)
        problem = self._sent(row.method, where, token)
        with transaction(self._database) as db:
            current = db.get(SignalDelivery, row.id)
            assert current is not None
            return _ended(db, current, problem)

    def _sent(self, method: str, where: tuple[str, str | None], token: str) -> str | None:
        """Send one token; return what was wrong, None when it was accepted."""
        url, authorization = where
        if method == "logout":
            body, kind, good = b"logout_token=" + token.encode(), "application/x-www-form-urlencoded", {200, 204}
        else:
            body, kind, good = token.encode(), "application/secevent+jwt", {202}
        headers = {"Content-Type": kind, "Accept": "application/json"}
        if authorization is not None:
            headers["Authorization"] = authorization
        try:
            status = self._outbound.tell(url, body, headers)
        except OutboundFailed as failed:
            return failed.reason
        return None if status in good else f"status_{status}"


def _first(db: Db, receiver: str) -> SignalDelivery | None:
    return db.exec(
        select(SignalDelivery)
        .where(
            col(SignalDelivery.receiver) == receiver,
            col(SignalDelivery.delivered_at).is_(None),
            col(SignalDelivery.failed_at).is_(None),
        )
        .order_by(col(SignalDelivery.id))
        .limit(1)
    ).one_or_none()


def _due(db: Db, now: datetime) -> list[tuple[str, bool]]:
    """Return (receiver, did its first one fail before) of those whose first one's time has come."""
    first = (
        select(func.min(col(SignalDelivery.id)))
        .where(
            col(SignalDelivery.method) != "poll",
            col(SignalDelivery.delivered_at).is_(None),
            col(SignalDelivery.failed_at).is_(None),
        )
        .group_by(col(SignalDelivery.receiver))
    )
    found = db.exec(
        select(SignalDelivery.receiver, SignalDelivery.tries, SignalStream.status)
        .join(SignalStream, col(SignalStream.id) == col(SignalDelivery.receiver), isouter=True)
        .where(col(SignalDelivery.id).in_(first), col(SignalDelivery.next_try_at) <= now)
        .order_by(col(SignalDelivery.id))
    ).all()
    return [(receiver, tries > 0) for receiver, tries, status in found if status != "paused"]


def _where(db: Db, row: SignalDelivery) -> tuple[str, str | None] | None:
    """Return address and Authorization of a receiver as they are now; None when it may not be told any more."""
    client = db.get(Client, row.client_id)
    if client is None or client.status != "active":
        return None
    if row.method == "logout":
        return None if client.backchannel_logout_uri is None else (client.backchannel_logout_uri, None)
    stream = db.get(SignalStream, row.receiver)
    if stream is None or stream.ended_at is not None or stream.endpoint_url is None or not may_hear(db, row):
        return None
    if stream.authorization is None:
        return stream.endpoint_url, None
    clear = of(db).ring.open("upstreams", f"signal_stream.authorization:{stream.id}", stream.authorization)
    return stream.endpoint_url, clear.decode()


def may_hear(db: Db, row: SignalDelivery) -> bool:
    """Say whether what waits may still be told: neither the event nor the person was taken from the stream since."""
    if row.seq is None:  # about the stream itself
        return True
    client = db.get(Client, row.client_id)
    if client is None or client.status != "active" or row.event not in client.signals:
        return False
    return row.account_id is None or db.get(SignalSubject, (row.receiver, row.account_id)) is None


def _ended(db: Db, row: SignalDelivery, problem: str | None) -> bool:
    """Write down how a try ended, with its receipt in the log."""
    if problem is None:
        row.delivered_at, row.problem = clock.now(), None
        db.add(row)
        log.record(db, event_of("signals.event.delivered", row))
        return True
    if row.tries >= TRIES:
        give_up(db, row, problem)
        return False
    row.problem = problem[:100]
    row.next_try_at = clock.now() + timedelta(seconds=PAUSES[min(row.tries, len(PAUSES)) - 1])
    db.add(row)
    return False


def give_up(db: Db, row: SignalDelivery, problem: str) -> None:
    """Write down that nobody will be told, with why."""
    row.failed_at, row.problem = clock.now(), problem[:100]
    db.add(row)
    log.record(db, event_of("signals.event.failed", row, outcome="failed", reason=problem[:100]))


def event_of(name: str, row: SignalDelivery, *, outcome: str = "done", reason: str | None = None) -> Event:
    """Return the log's event about a delivery."""
    details = {"jti": row.jti, "event": row.event, "by": row.method, "seq": row.seq, "tries": row.tries}
    if row.method != "logout":
        details["stream"] = row.receiver
    return Event(name, account=row.account_id, client=row.client_id, outcome=outcome, reason=reason, details=details)
