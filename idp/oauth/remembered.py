"""What was read of the people behind tokens: used again only under a commit that checks it still holds.

An entry answers for the very (policy epoch, terms in force) it was read under, and until the next date
it depends on. The person's version, the session, the family and the token itself are checked inside the
commit of whoever uses it (`Checked.rests_on`), so nothing here has to be forgotten in time. Bounded,
oldest out first; used by one thread, the worker's event loop.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LIMIT = 4096


@dataclass(frozen=True, slots=True)
class _Entry:
    epoch: int
    terms: tuple[int, int]
    since: int
    until: int | None
    row: Sequence[Any]


class Standings:
    """The rows of `liveness.TOKEN` by whom and what they are about."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._rows: OrderedDict[tuple[Any, ...], _Entry] = OrderedDict()

    def row(self, key: tuple[Any, ...], epoch: int, moments: tuple[int, int, int]) -> Sequence[Any] | None:
        """Return what was read, if it is still to be believed at this moment."""
        found = self._rows.get(key)
        if found is None or found.epoch != epoch or found.terms != moments[:2] or moments[2] < found.since:
            return None
        return found.row if found.until is None or moments[2] < found.until else None

    def keep(self, key: tuple[Any, ...], row: Sequence[Any], moments: tuple[int, int, int], until: int | None) -> None:
        """Remember a row; its first column is the policy epoch."""
        self._rows[key] = _Entry(row[0], moments[:2], moments[2], until, row)
        self._rows.move_to_end(key)
        if len(self._rows) > self._limit:
            self._rows.popitem(last=False)
