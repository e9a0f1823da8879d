"""What an answer rests on, and the check inside the commit that it still holds.

An answer may be computed from what this worker remembers, because no answer leaves before this check:
it reads the database's own state in the very commit that writes the record (decisions.md 3, decision 0003).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any


class Stale(Exception):
    """What the answer rested on has changed since it was read: read again and decide again."""


@dataclass(slots=True)
class RestsOn:
    """The state an answer was computed from; what is None is not asked about. Nobody changes it."""

    epoch: int
    """Policy epoch."""
    account_id: str | None = None
    version: int = 0
    """Version of that account."""
    jti: str | None = None
    """A token that must not have been revoked."""
    family_id: str | None = None
    """A token family that must not have ended."""
    session_id: str | None = None
    """A session that must not have ended, nor its login; with `session_state`, exactly as it was read instead."""
    session_state: str | None = None


_STATE = (
    "(s.acr || ' ' || s.auth_time || ' ' || COALESCE(s.factor_time, 0) || ' ' || s.last_seen_at || ' ' || "
    "s.expires_at || ' ' || COALESCE(s.ended_at, 0))"
)
"""All of a session that a decision looks at and that can change, as one text."""


@lru_cache(maxsize=8192)
def state_of(acr: str, *moments: int | None) -> str:
    """Return the same text of what was read: auth_time, factor_time, last_seen_at, expires_at, ended_at."""
    return " ".join((acr, *(str(moment or 0) for moment in moments)))


_TYPES = ("int", "bigint", "text", "bigint", "text", "text", "text", "text")
WIDTH = len(_TYPES)
"""Parameters of the check on PostgreSQL: one array for each."""
_HOLDS = f"""(x.epoch IS NULL OR (x.epoch = (SELECT e.epoch FROM policy_epoch e WHERE e.id = 1)
  AND (x.account IS NULL
    OR x.version = COALESCE((SELECT v.version FROM account_version v WHERE v.account_id = x.account), 0))
  AND (x.jti IS NULL OR (SELECT 1 FROM revoked_token t WHERE t.jti = x.jti) IS NULL)
  AND (x.family IS NULL
    OR (SELECT 1 FROM token_family f WHERE f.id = x.family AND f.ended_at IS NULL) IS NOT NULL)
  AND (x.session IS NULL
    OR (SELECT CASE WHEN x.state IS NULL THEN s.ended_at IS NULL
      AND (SELECT COALESCE(l.ended_at, l.held_at) FROM login l WHERE l.id = s.login_id) IS NULL
      ELSE x.state = {_STATE} END
    FROM session s WHERE s.id = x.session))))"""  # noqa: S608 - our own texts
_GIVEN = ", ".join(f"${n}::{kind}[]" for n, kind in enumerate(_TYPES, start=1))
HOLDING = (
    f"SELECT x.n FROM unnest({_GIVEN}) AS x(n, epoch, account, version, jti, family, session, state) "  # noqa: S608
    f"WHERE {_HOLDS}"
)
"""PostgreSQL: the places of those that still hold. Scalar subqueries, so that every look-up goes by key
whatever the planner believes of the tables' sizes."""
_VALUES = ", ".join(f"${n}::{kind}" for n, kind in enumerate(_TYPES[1:], start=1))
HOLDING_ONE = (
    f"SELECT 1 AS held FROM (SELECT {_VALUES}) AS x(epoch, account, version, jti, family, session, state) "  # noqa: S608
    f"WHERE {_HOLDS}"
)
"""PostgreSQL: one row when the one thing given still holds; its values are those of `one`."""


@cache
def holding(count: int) -> str:
    """Return SQLite's statement for so many: the places of those that hold; its values are those of `one`, of each."""
    given = ", ".join(f"({n}{', ?' * (WIDTH - 1)})" for n in range(count))
    return (
        f"WITH x(n, epoch, account, version, jti, family, session, state) AS (VALUES {given}) "  # noqa: S608 - our own texts
        f"SELECT x.n FROM x WHERE {_HOLDS}"
    )


def one(rests_on: RestsOn) -> tuple[Any, ...]:
    """Return the values of HOLDING_ONE."""
    r = rests_on
    return r.epoch, r.account_id, r.version, r.jti, r.family_id, r.session_id, r.session_state


def arrays(given: Iterable[tuple[int, RestsOn | None]]) -> list[Sequence[Any]]:
    """Return the values of HOLDING for places and what they rest on."""
    rows = [(n, *one(r)) if r is not None else (n, None, None, None, None, None, None, None) for n, r in given]
    return list(zip(*rows, strict=True))
