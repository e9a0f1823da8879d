"""What work of the lane yields: a statement written once, in the text each driver wants."""

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import TextClause, text
from sqlmodel import Session

_NUMBERED = re.compile(r"\$(\d+)")


class Sql:
    """One statement, in the text each driver wants."""

    __slots__ = ("named", "percent", "postgres", "sqlite")

    def __init__(self, text: str) -> None:
        self.postgres = text
        self.sqlite = _NUMBERED.sub(r"?\1", text)
        self.named = _NUMBERED.sub(r":p\1", text)
        """For the pages' lane, which runs the same statement through its own session."""
        self.percent = _NUMBERED.sub(r"%(p\1)s", text)
        """For psycopg itself, where the session is more than the statement is worth."""


@dataclass(slots=True)
class Many:
    """The same statement for many rows, sent as one."""

    sql: Sql
    rows: Sequence[tuple[Any, ...]]


@dataclass(slots=True)
class Append:
    """An audit row; the writer inserts all rows of a group at once, after the group's work."""

    row: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Merged:
    """What a kind of work does, written for PostgreSQL as part of one statement for a whole group.

    `steps` are WITH queries. They find the group's values in `given` (n and `columns`), the places whose
    ground still holds in `fresh` (n); they make `taken` (n: the work is this item's to do, nobody was
    first) and `done` (n: all of it was done). `key` is the column that two items of one statement must
    not share.
    """

    columns: tuple[tuple[str, str], ...]
    """Name and PostgreSQL's type."""
    steps: str
    key: int


@dataclass(frozen=True, slots=True)
class OneStatement:
    """The common case of an item's work; where it is not `taken`, the work itself finds out why."""

    merged: Merged
    values: tuple[Any, ...]
    rows: Sequence[tuple[Any, ...]]
    """The audit rows of this case, written where all was done."""
    broken: Any
    """The answer where the work was taken but could not be done."""


Yielded = tuple[Sql, tuple[Any, ...]] | Many | Append
Work = Generator[Yielded, list[Any], Any]
"""Yields statements, is sent their rows, returns the answer. Runs unchanged on both drivers."""


def drive(session: Session, work: Work) -> Any:
    """Run the same work in the pages' lane, on a session of its transaction; return its answer."""
    answer: list[Any] | None = None
    while True:
        try:
            step = work.send(answer) if answer is not None else next(work)
        except StopIteration as done:
            return done.value
        if not isinstance(step, tuple):
            raise TypeError("only reads are driven on a session; it has its own ways to write")
        sql, values = step
        named = {f"p{n}": value for n, value in enumerate(values, start=1)}
        answer = list(session.execute(_prepared(sql), named).all())


@cache
def _prepared(sql: Sql) -> TextClause:
    return text(sql.named)
