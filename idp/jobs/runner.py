"""Run the jobs of one worker until told to stop."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

import structlog

from idp import entropy, metrics
from idp.audit import checkpoint, origin
from idp.database import Database
from idp.database.glance import Glance
from idp.jobs.bell import Bell
from idp.jobs.expiring import Expiring
from idp.jobs.lease import Lease
from idp.jobs.sealing import Sealing
from idp.jobs.signals import Signals
from idp.signals.revocations import CHANNEL

_log = structlog.get_logger("idp.jobs")
_PATIENCE = 10.0
"""Seconds that stopping waits for a job in the middle of its work."""
_SHARE = 0.2
"""Of a core, for a backlog (a thousand reviews to open, a year of old sessions): nobody waits longer for their page."""

_ANOTHERS = 1.0
"""Seconds until a worker asks again for a lease that another one has: a worker that stops gives its leases back."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something done again and again; `work` returns True when more of it waits."""

    name: str
    every: float
    """Seconds between two runs."""
    work: Callable[[Database], bool]
    share: float = 1.0
    """Part of the time that it may work when more of it always waits; the rest is its worker's requests'."""
    bell: Bell | None = None
    """Rings when there is news: it then runs at once, and without news only every `seldom` seconds."""
    seldom: float = 0.5
    next: Callable[[], float] | None = None
    """Says the seconds between two runs in place of `every`, for a job that knows better."""

    def rest(self, wait: float, stopping: threading.Event) -> bool:
        """Wait so many seconds, or until the bell rings; return whether the worker stops."""
        if self.bell is None:
            return stopping.wait(wait)
        self.bell.rang.wait(max(wait, self.seldom) if wait and self.bell.hears else wait)
        self.bell.rang.clear()
        return stopping.is_set()

    def pause(self, worked: float) -> float:
        """Return the seconds to wait before the next run when one of `worked` seconds left more to do."""
        return min(worked * (1.0 / self.share - 1.0), max(self.every, 1.0))


JOBS: tuple[tuple[str, float, str], ...] = (
    ("reminders", 60.0, "idp.jobs.expiries.remind"),
    ("keys", 60.0, "idp.jobs.upkeep.tend_keys"),
    ("mail", 2.0, "idp.jobs.mail.run"),
    ("recovery", 2.0, "idp.accounts.recovery_mail.send"),
    ("reviews", 60.0, "idp.jobs.reviews.run"),
    ("cases", 30.0, "idp.casework.clocks.run"),
    ("catalogue", 60.0, "idp.jobs.catalogue.run"),
    ("sharing", 5.0, "idp.sharing.live.feeding.run"),
    ("silence", 3600.0, "idp.jobs.silence.run"),
    ("cleanup", 60.0, "idp.jobs.cleanup.run"),
    ("cleanup-old", 3600.0, "idp.jobs.cleanup.run_old"),
    ("months", 3600.0, "idp.audit.months.tend"),
    ("digest", 300.0, "idp.jobs.digest.run"),
    ("communities", 6 * 3600.0, "idp.jobs.communities.run"),
)
"""Name, seconds between two runs, and the function that does the work; its module is imported by the first run."""


def named(work: str) -> Callable[[Database], bool]:
    """Return the work of a name; importing its module here would lengthen every start (docs/performance.md)."""
    module, _, function = work.rpartition(".")

    def run(database: Database) -> bool:
        found: Callable[[Database], bool] = getattr(import_module(module), function)
        return found(database)

    return run


class Running:
    """The threads of one worker."""

    def __init__(self, database: Database, jobs: Sequence[Job], closing: Sequence[Callable[[], object]] = ()) -> None:
        self._database = database
        self._closing = closing
        self._jobs = tuple(jobs)
        self._holder = entropy.new_id("wrk")
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(job,), name=f"job-{job.name}", daemon=True) for job in jobs
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each job finish what it is doing and give its lease back."""
        self._stopping.set()
        for job in self._jobs:
            if job.bell is not None:
                job.bell.rang.set()
        for thread in self._threads:
            thread.join(_PATIENCE)
        for close in self._closing:
            close()

    def _run(self, job: Job) -> None:
        lease = Lease(self._database, job.name, self._holder)
        wait, held = 0.0, True
        # Who does not do this job hears no bell: it asks for the lease now and then.
        while not (job.rest(wait, self._stopping) if held else self._stopping.wait(wait)):
            wait = job.every
            try:
                with origin.acting_as("system"):
                    begun = time.monotonic()
                    held = lease.held()
                    if not held:
                        wait = max(job.every, _ANOTHERS)
                    elif job.work(self._database):
                        wait = job.pause(time.monotonic() - begun)
                    elif job.next is not None:
                        wait = job.next()
                metrics.JOBS.labels(job.name, "done").inc()
            except Exception as problem:
                # A job that fails now is tried again; what it would have done has not been done.
                metrics.JOBS.labels(job.name, "failed").inc()
                _log.error("job_failed", job=job.name, cause=type(problem).__name__, why=str(problem)[:300])
                wait = max(job.every, 1.0)
        try:
            lease.give_up()
        except Exception as problem:
            _log.warning("lease_not_returned", job=job.name, cause=type(problem).__name__)


def start(database: Database) -> Running:
    """Start every job; in development a missing checkpoint key is made, elsewhere raises NotConfigured."""
    checkpoint.ensure_key(database.settings)
    glance = Glance(database)
    signals = Signals(database, glance)
    bell = Bell(database, CHANNEL)
    sealing = Sealing(database, glance)
    return Running(
        database,
        (
            Job("seal", sealing.pause(), sealing.run, next=sealing.pause),
            Job("signals", 0.25, signals.run, bell=bell),
            Job("expiries", 0.25, Expiring(glance).run, _SHARE),
            *(Job(name, every, named(work), _SHARE) for name, every, work in JOBS),
        ),
        closing=(bell.stop, signals.stop, glance.close),
    )
