"""Which worker runs a job: one row per job, taken and renewed by one conditional statement."""

from datetime import datetime, timedelta

from sqlalchemy import CursorResult, delete, text
from sqlmodel import col

from idp import clock
from idp.database import Database, transaction
from idp.signals.tables import JobLease

_TAKE = text(
    "INSERT INTO job_lease (name, holder, expires_at, created_at) VALUES (:name, :holder, :until, :now) "
    "ON CONFLICT (name) DO UPDATE SET holder = :holder, expires_at = :until "
    "WHERE job_lease.holder = :holder OR job_lease.expires_at <= :now"
)


class Lease:
    """One worker's claim to one job; written only when half of it is used up."""

    def __init__(self, database: Database, name: str, holder: str, lasts: timedelta = timedelta(seconds=5)) -> None:
        self._database = database
        self._name = name
        self._holder = holder
        self._lasts = lasts
        self._until: datetime | None = None

    def held(self) -> bool:
        """Take or keep the lease; False while another worker has it."""
        now = clock.now()
        if self._until is not None and now < self._until - self._lasts / 2 <= now + self._lasts:
            return True
        until = now + self._lasts
        values = {
            "name": self._name,
            "holder": self._holder,
            "until": clock.micros(until),
            "now": clock.micros(now),
        }
        with transaction(self._database, prompt=True) as session:
            result = session.execute(_TAKE, values)
            assert isinstance(result, CursorResult)
            taken = result.rowcount == 1
        self._until = until if taken else None
        return taken

    def give_up(self) -> None:
        """Let another worker go on at once."""
        if self._until is None:
            return
        with transaction(self._database) as session:
            session.execute(
                delete(JobLease).where(col(JobLease.name) == self._name, col(JobLease.holder) == self._holder)
            )
        self._until = None
