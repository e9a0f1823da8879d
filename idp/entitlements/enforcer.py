"""Casbin, fed with policy/model.conf and the asker's own grants: the only module that knows it.

Rows go in as values, never as text, so nothing a person can choose becomes policy syntax. One process
lock covers load and enforce: on Python 3.11 parsing in several threads fails at random, an enforcer per
thread included (stack.md 7). Whatever goes wrong, the answer is no.
"""

import logging
import re
import threading
from collections.abc import Callable, Sequence
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


def _row(line: Line) -> tuple[str | int, ...]:
    """Return the line in the order of the model's `p`."""
    subject, provider, lob, entitlement, effect, starts, ends = line[1:8]
    return subject, provider, lob, entitlement, starts, NEVER if ends is None else ends, effect


class _Enforcer:
    """The model as Casbin reads it, and Casbin's own effects; the matcher is made a function of Python once.

    The loop is that of Casbin's `enforce_ex` for a model without roles, which makes a dictionary of every line and asks
    of every question what this model is known to be. `tests/entitlements/test_stock_and_ours.py` compares the two.
    """

    def __init__(self) -> None:
        # Imported with the first question: Casbin and what it brings are a twentieth of a worker's start.
        import casbin
        from casbin.effect import Effector, effect_to_bool

        stock = casbin.Enforcer(str(MODEL))
        # It logs refused requests with every value: ids of people do not belong in the process log.
        logging.getLogger("casbin.enforcer").setLevel(logging.CRITICAL)
        self.model = stock.get_model().model
        matcher, tokens = self.model["m"]["m"].value, self.model["p"]["p"].tokens
        if "g" in self.model or casbin.util.has_eval(matcher):
            raise ValueError(f"{MODEL}: neither roles nor rules inside of lines are read here")
        self.matches = _function((*self.model["r"]["r"].tokens, *tokens), matcher)
        self._effect = tokens.index("p_eft")
        self._effects = {"allow": Effector.ALLOW, "deny": Effector.DENY}
        self._nothing = Effector.INDETERMINATE
        self._so_far, self._at_last = stock.eft.intermediate_effect, stock.eft.final_effect
        self._as_bool = effect_to_bool

    def enforce(self, asked: tuple[Any, ...], rows: Sequence[tuple[Any, ...]]) -> tuple[bool, int | None]:
        """Return what the model says to a question about these rows, and the place of the row that explains it."""
        found, named, nothing = set(), None, self._nothing
        for place, row in enumerate(rows):
            if self.matches(*asked, *row) is not True:
                found.add(nothing)
                continue
            found.add(self._effects.get(row[self._effect], nothing))
            named = place
            if self._so_far(found) != nothing:
                break
        return self._as_bool(self._at_last(found)), named


def _function(names: Sequence[str], matcher: str) -> Callable[..., object]:
    """Return the model's matcher as a function of these names: the model's own text, never a person's."""
    python = re.sub(r"!(?!=)", "not ", matcher.replace("&&", "and").replace("||", "or"))
    code = compile(f"lambda {', '.join(names)}: {python}", str(MODEL), "eval")
    made: Callable[..., object] = eval(code, {"__builtins__": {}})  # noqa: S307 - compiled above
    return made


@cache
def _enforcer() -> _Enforcer:
    return _Enforcer()


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
            # All there is to know is this question's lines; nothing is ever loaded, parsed or kept.
            allowed, named = _enforcer().enforce((*place, entitlement, at), [_row(line) for line in lines])
    except Exception as problem:
        _log.error("enforcer_failed", exc_info=problem)
        return NO
    return Ruling(allowed is True, None if named is None else lines[named])
