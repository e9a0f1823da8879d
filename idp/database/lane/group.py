"""One group commit: its items, and how the audit rows they leave are kept."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(slots=True)
class Item:
    """One request's part of a group."""

    work: Callable[[], Work] | None
    rows: Sequence[tuple[Any, ...]]
    rests_on: RestsOn | None
    at_once: OneStatement | None
    future: "asyncio.Future[Any]"
    light: bool = False
    result: Any = None
    error: BaseException | None = None


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
