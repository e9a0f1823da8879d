"""What this worker found when it last verified the log."""

import threading
from datetime import datetime

import structlog
from sqlmodel import Session

from idp import clock
from idp.audit import checkpoint, log, origin, verify
from idp.audit.events import Event
from idp.audit.report import Report
from idp.database import Database, transaction

_log = structlog.get_logger("idp.audit")


class Proof:
    """The newest report of this worker; kept on `service.parts`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running = threading.Lock()
        self.report: Report | None = None
        self.at: datetime | None = None

    @property
    def busy(self) -> bool:
        """Say whether a verification runs in the background."""
        return self._running.locked()

    def verify(self, db: Session) -> None:
        """Verify now and record it with the caller's transaction."""
        log.record(db, self._verified())

    def verify_aside(self) -> None:
        """Verify in a thread of its own; a second request while it runs starts nothing."""
        if self._running.acquire(blocking=False):
            threading.Thread(target=self._aside, args=(origin.current().actor_id,), daemon=True).start()

    def _aside(self, actor_id: str | None) -> None:
        try:
            told = self._verified()
            with transaction(self._database) as db, origin.acting_as(actor_id or "system"):
                log.record(db, told)
        except Exception as problem:
            _log.error("verification_failed", cause=type(problem).__name__, why=str(problem)[:300])
        finally:
            self._running.release()

    def _verified(self) -> Event:
        settings = self._database.settings
        key = checkpoint.load_key(settings.audit_key_file).public_key()
        report = verify.verify(self._database, key, settings.audit_copy)
        self.report, self.at = report, clock.now()
        details = {"records": report.records, "first_bad": report.first.record if report.first else None}
        return Event("audit.log.verified", outcome="done" if report.whole else "failed", details=details)
