"""Casbin, fed with policy/model.conf and the asker's own grants: the only module that knows it.

Rows go in as lists, never as text, so nothing a person can choose becomes policy syntax. One process
lock covers load and enforce: on Python 3.11 parsing in several threads fails at random, an enforcer per
thread included (stack.md 7). Whatever goes wrong, the answer is no.
"""

import logging
import re
import threading
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import structlog

MODEL = Path(__file__).parents[2] / "policy" / "model.conf"
NEVER = 1 << 63
"""End of what has no end date: after every moment, in microseconds since 1970."""
_log = structlog.get_logger("idp.entitlements")
_lock = threading.Lock()


class Line(NamedTuple):
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


class Ruling(NamedTuple):
    """What the model answered, and the line it names for it."""

    allowed: bool
    line: Line | None = None


NO = Ruling(allowed=False)


class _Row(list[str | int]):
    """A policy row that remembers the line it was made of."""

    __slots__ = ("line",)
    line: Line


def _row(line: Line) -> _Row:
    ends = NEVER if line.expires_at is None else line.expires_at
    row = _Row(
        (line.subject, line.provider, line.line, line.entitlement, line.not_before, ends, line.effect),
    )
    row.line = line
    return row


class _Matcher:
    """The model's matcher as Python's own byte code, made once; stock Casbin parses and walks it for every question.

    The text is policy/model.conf's, never anything a person can choose. Casbin's loop, effects and explanation
    stay its own; `tests/entitlements/test_stock_and_ours.py` compares the two.
    """

    __slots__ = ("_code",)

    def __init__(self, text: str) -> None:
        python = re.sub(r"!(?!=)", "not ", text.replace("&&", "and").replace("||", "or"))
        self._code = compile(python, str(MODEL), "eval")

    def eval(self, names: dict[str, Any]) -> Any:
        return eval(self._code, {"__builtins__": {}}, names)  # noqa: S307 - the model's own text, compiled above


@cache
def _matcher(text: str) -> _Matcher:
    return _Matcher(text)


@cache
def _enforcer() -> Any:
    # Imported with the first question: Casbin and what it brings are a twentieth of a worker's start.
    import casbin

    class Enforcer(casbin.Enforcer):  # type: ignore[misc]
        """The stock enforcer, its matcher compiled (pycasbin is pinned: this is not its public interface)."""

        @staticmethod
        def _get_expression(expr: str, functions: object = None) -> _Matcher:  # noqa: ARG004 - Casbin's signature
            return _matcher(expr)

    made = Enforcer(str(MODEL))
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
            # All there is to know is this question's lines; nothing is ever loaded, parsed or kept.
            enforcer.get_model().model["p"]["p"].policy = [_row(line) for line in lines]
            allowed, row = enforcer.enforce_ex(*place, entitlement, at)
    except Exception as problem:
        _log.error("enforcer_failed", exc_info=problem)
        return NO
    return Ruling(allowed is True, row.line if isinstance(row, _Row) else None)
