"""Casbin, fed with policy/model.conf and the asker's own grants: the only module that knows it.

Rows go in as lists, never as text, so nothing a person can choose becomes policy syntax. One process
lock covers load and enforce: on Python 3.11 parsing in several threads fails at random, an enforcer per
thread included (stack.md 7). Whatever goes wrong, the answer is no.
"""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import structlog

from idp import clock

MODEL = Path(__file__).parents[2] / "policy" / "model.conf"
NEVER = "9999-12-31T23:59:59.999999+00:00"
"""End of what has no end date; sorts after every moment."""
_log = structlog.get_logger("idp.entitlements")
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Line:
    """One grant as the model sees it; moments in microseconds."""

    source_id: str
    """Grant or appointment it comes from."""
    subject: str
    provider: str
    line: str
    entitlement: str
    effect: str
    not_before: int
    expires_at: int | None
    delegation_id: str | None = None

    def live(self, at: int) -> bool:
        """Say whether the moment lies in its half-open interval."""
        return self.not_before <= at and (self.expires_at is None or at < self.expires_at)

    def expired(self, at: int) -> bool:
        """Say whether it has reached its own end date."""
        return self.expires_at is not None and self.expires_at <= at


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the model answered, and the line it names for it."""

    allowed: bool
    line: Line | None = None


NO = Ruling(allowed=False)


class _Row(list[str]):
    """A policy row that remembers the line it was made of."""

    __slots__ = ("line",)
    line: Line


class _Handed:
    """Hands over the lines of one question, as a filtered adapter of Casbin; there is nothing else to load."""

    def is_filtered(self) -> bool:
        return True

    def load_policy(self, model: Any) -> None:
        raise RuntimeError("only one asker's lines are ever loaded")

    def load_filtered_policy(self, model: Any, filter: Sequence[Line]) -> None:  # noqa: A002 - Casbin's name
        rows = model.model["p"]["p"].policy
        for line in filter:
            row = _Row(
                (
                    line.subject,
                    line.provider,
                    line.line,
                    line.entitlement,
                    _text(line.not_before),
                    NEVER if line.expires_at is None else _text(line.expires_at),
                    line.effect,
                )
            )
            row.line = line
            rows.append(row)


def _text(moment: int) -> str:
    """Return a moment as UTC text of fixed width, so that comparing texts compares moments."""
    return clock.from_micros(moment).isoformat(timespec="microseconds")


@cache
def _enforcer() -> Any:
    # Imported with the first question: Casbin and what it brings are a twentieth of a worker's start.
    import casbin
    from casbin.persist.adapter_filtered import FilteredAdapter

    class Adapter(_Handed, FilteredAdapter):  # type: ignore[misc]
        """What Casbin's constructor insists on."""

    made = casbin.Enforcer(str(MODEL), Adapter())
    made.enable_auto_save(False)
    # It logs refused requests with every value: ids of people do not belong in the process log.
    logging.getLogger("casbin.enforcer").setLevel(logging.CRITICAL)
    return made


def rule(place: tuple[str, str, str], entitlement: str, at: int, lines: Sequence[Line]) -> Ruling:
    """Ask the model whether these lines allow this; name the allowing or denying line.

    `place` is who, for which organisation, in which line of business.

    Never raises: an error is logged and the answer is no.
    """
    if not lines or not all(place) or not entitlement:
        # With no rows Casbin compares the request with empty texts: empty questions would be allowed.
        return NO
    try:
        with _lock:
            enforcer = _enforcer()
            enforcer.load_filtered_policy(lines)
            allowed, row = enforcer.enforce_ex(*place, entitlement, _text(at))
    except Exception as problem:
        _log.error("enforcer_failed", exc_info=problem)
        return NO
    return Ruling(allowed is True, row.line if isinstance(row, _Row) else None)
