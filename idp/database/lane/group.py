"""One group commit: its items, and how the audit rows they leave are kept."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from idp.database.lane.resting import RestsOn
from idp.database.lane.statements import Append, OneStatement, Work


@dataclass(frozen=True, slots=True)
class Records:
    """The table of the audit rows, and who counts them."""

    table: str
    columns: tuple[tuple[str, str], ...]
    """Name and PostgreSQL's type, in the order of a row's values."""
    count: Callable[[Sequence[tuple[Any, ...]]], None]
    """Told of the rows of each group that was committed."""

    @property
    def names(self) -> str:
        """Return the columns as SQL wants them."""
        return ", ".join(name for name, _ in self.columns)


class Part:
    """Where one of many items that are awaited together is answered: one future for all of them."""

    __slots__ = ("_left", "_whole", "error")

    def __init__(self, whole: "asyncio.Future[None]", left: list[int]) -> None:
        """`left` counts the parts of the whole that have no answer yet."""
        self._whole, self._left = whole, left
        self.error: BaseException | None = None

    def done(self) -> bool:
        """Say whether nobody waits any more."""
        return self._whole.done()

    def set_result(self, _result: Any) -> None:
        """Note that this one is done; with the last one the whole is."""
        self._left[0] -= 1
        if not self._left[0]:
            self._whole.set_result(None)

    def set_exception(self, error: BaseException) -> None:
        """Note that this one failed."""
        self.error = error
        self.set_result(None)


@dataclass(slots=True)
class Item:
    """One request's part of a group."""

    work: Callable[[], Work] | None
    rows: Sequence[tuple[Any, ...]]
    rests_on: RestsOn | None
    at_once: OneStatement | None
    future: "asyncio.Future[Any] | Part"
    light: bool = False
    result: Any = None
    error: BaseException | None = None
    timer: asyncio.TimerHandle | None = None
    _turn: list[None] = field(default_factory=lambda: [None])

    def claim(self) -> bool:
        """Say whether this call is the first: of a group's beginning and giving up the wait, one has the item."""
        try:
            self._turn.pop()
        except IndexError:
            return False
        return True


def worked(items: Sequence[Item], rows: list[tuple[Any, ...]]) -> Work:
    """Do each item's work in turn and collect the audit rows it leaves."""
    for item in items:
        if item.error is not None:
            continue
        if item.work is not None:
            work = item.work()
            answer: list[Any] | None = None
            while True:
                try:
                    step = work.send(answer) if answer is not None else next(work)
                except StopIteration as done:
                    item.result = done.value
                    break
                if isinstance(step, Append):
                    rows.append(step.row)
                    answer = []
                else:
                    answer = yield step
        rows.extend(item.rows)
