"""Seal the log as soon as something waits; look for it without a transaction (docs/performance.md, idle)."""

import time

import structlog

from idp import metrics
from idp.audit.seal import LogDamaged, Sealer
from idp.database import Database
from idp.database.glance import Glance
from idp.database.lane import Sql

_WAITS = Sql("SELECT 1 FROM audit_unsealed WHERE refused_at IS NULL LIMIT 1")
_ANYWAY = 1.0
"""Seconds after which the sealer looks for itself: its checkpoint may be due although nothing waits."""
BUSY, QUIET = 0.05, 0.1
"""Seconds until the next look: after one that found something, and after one that did not."""
_log = structlog.get_logger("idp.jobs")


class Sealing:
    """The sealer of this worker."""

    def __init__(self, database: Database, glance: Glance, sealer: Sealer | None = None) -> None:
        """Load the checkpoint key; raise NotConfigured when there is none."""
        self._sealer = sealer or Sealer(database)
        self._glance = glance
        self._looked = 0.0
        self._found = False

    def pause(self) -> float:
        """Return the seconds until it looks again: records come together, so more follow those that were sealed."""
        return BUSY if self._found else QUIET

    def run(self, _database: Database) -> bool:
        """Seal what waits; return whether more does."""
        now = time.monotonic()
        waits = self._found = self._glance.at(_WAITS) is not None
        if now - self._looked < _ANYWAY and not waits:
            return False
        self._looked = now
        try:
            done = self._sealer.seal(seen_waiting=waits)
        except LogDamaged as problem:
            metrics.DAMAGED.set(1)
            _log.critical("audit_log_damaged", why=str(problem))
            raise
        metrics.DAMAGED.set(0)
        metrics.SEALED.inc(done.records)
        metrics.REFUSED.inc(done.refused)
        if done.oldest is not None and done.checkpoint is not None:
            metrics.SEAL_LAG.observe(max(0.0, (done.checkpoint.at - done.oldest).total_seconds()))
        return done.more
