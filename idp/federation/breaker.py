"""Keep a dead or slow upstream from holding our workers: few calls at once, and none while it is down."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from idp import clock
from idp.outbound import OutboundFailed

AT_ONCE = 4
FAILURES = 3
PAUSE = 15.0
"""Seconds without a try after three failures in a row; then one call tries again."""


@dataclass(slots=True)
class _State:
    calls: int = 0
    failures: int = 0
    closed_until: float = 0.0
    trying: bool = False
    """One call is out to see whether the upstream is back."""
    since: datetime | None = None


class Breaker:
    """One per process; each worker learns by itself, which costs a dead upstream three slow calls a worker."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}
        self._lock = threading.Lock()

    @contextmanager
    def call(self, upstream_id: str) -> Iterator[None]:
        """Make a call; raise OutboundFailed at once while the upstream is down or crowded."""
        with self._lock:
            state = self._states.setdefault(upstream_id, _State())
            if time.monotonic() < state.closed_until:
                raise OutboundFailed("down")
            probe = state.failures >= FAILURES
            if probe and state.trying:
                raise OutboundFailed("down")
            if state.calls >= AT_ONCE:
                raise OutboundFailed("crowded")
            state.trying = probe
            state.calls += 1
        try:
            yield
        except OutboundFailed:
            with self._lock:
                state.failures += 1
                state.since = state.since or clock.now()
                if state.failures >= FAILURES:
                    state.closed_until = time.monotonic() + PAUSE
            raise
        else:
            with self._lock:
                state.failures, state.since, state.closed_until = 0, None, 0.0
        finally:
            with self._lock:
                state.calls -= 1
                state.trying = state.trying and not probe

    def down_since(self, upstream_id: str) -> datetime | None:
        """Return since when the upstream has not answered, or None."""
        with self._lock:
            state = self._states.get(upstream_id)
            return state.since if state else None
