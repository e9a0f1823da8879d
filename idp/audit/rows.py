"""Read the stored rows of a stretch of the tree and compare them, many at a time, with the hashes they were sealed by.

The common case, batches whose rows are all there and as they were sealed, costs a few operations a record; `ordinary`
says so and nothing more. Whatever is not ordinary is looked at record by record in `verify.py`. PostgreSQL sends the
rows on while they are looked at; a few hundred at a time stay in the processor's memory, and no more are ever held.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import islice, repeat
from typing import Any

import orjson
from psycopg import capabilities
from sqlmodel import Session

from idp import clock
from idp.audit import leaf
from idp.database import of

_COLUMNS = ", ".join(("seq", "leaf", "mac", *leaf.CHECKED))
_SHORT = ", ".join(("seq", "leaf", *leaf.CHECKED))
_PATHS = ", ".join(f"'$.{member}'" for member in leaf.MEMBERS)
_COMPARED = (
    "seq, leaf, at, json_extract(CAST(leaf AS TEXT), '$.at'), "
    f"json_extract(CAST(leaf AS TEXT), {_PATHS}) = json_array({', '.join(leaf.CHECKED[1:])})"
)
"""SQLite runs in this process, so it may compare: members as the leaf spells them, columns spelled as JSON. Values that
differ are never spelled alike; one spelled in two ways is looked at once more, by itself."""
_CHUNK = 500
_AT_ONCE = 250
_KEPT = 10_000
"""Seconds whose beginning is remembered."""
_APART = 2
"""How many times as many numbers as records a stretch may span and still be read from its first to its last."""
_ODD = (TypeError, ValueError, KeyError, AttributeError, sqlite3.OperationalError)
"""Text in place of bytes, no JSON, no object."""
_said = dict.get
_PREFIXED = sha256(b"\x00").copy


class Rows:
    """The rows of one snapshot, read with the driver itself: an object for each row is half of the time."""

    def __init__(self, session: Session) -> None:
        self._sqlite = of(session).is_sqlite
        driver: Any = session.connection().connection.driver_connection
        self._cursor: Any = driver.cursor() if self._sqlite else driver.cursor(binary=True)
        self._streams = not self._sqlite and capabilities.has_stream_chunked()
        self._seconds: dict[str, int] = {}

    def named(self, seqs: Sequence[int]) -> list[Any]:
        """Return the rows of these numbers that are there: number, leaf, mac, the checked columns."""
        found: list[Any] = []
        for start in range(0, len(seqs), _CHUNK):
            marks = ",".join(str(int(n)) for n in seqs[start : start + _CHUNK])
            found += self._read(f"SELECT {_COLUMNS} FROM audit_record WHERE seq IN ({marks})")  # noqa: S608 - integers
        return found

    def _read(self, query: str) -> list[Any]:
        """Return all rows; in SQLite's file anything may be called text, and it must be read to be named."""
        if not self._sqlite:
            return self._cursor.execute(query).fetchall()  # type: ignore[no-any-return]
        connection = self._cursor.connection
        kept, connection.text_factory = connection.text_factory, _text
        try:
            return self._cursor.execute(query).fetchall()  # type: ignore[no-any-return]
        finally:
            connection.text_factory = kept

    def ordinary(self, seqs: Sequence[int], hashes: Sequence[bytes]) -> int | None:
        """Say that every row of these numbers is there and whole, by the moment of the lowest; else return None."""
        if not seqs:
            return None
        low, high = min(seqs), max(seqs)
        if high - low >= _APART * len(seqs):
            return None
        dense = high - low + 1 == len(seqs)
        if not dense or list(seqs) != list(range(low, high + 1)):  # late commits: numbers are not in the tree's order
            ordered = sorted(zip(seqs, hashes, strict=True))
            seqs, hashes = [seq for seq, _ in ordered], [digest for _, digest in ordered]
        wanted = None if dense else frozenset(seqs)
        at, first = 0, None
        stretch = self._between(low, high)
        try:
            for rows in stretch:
                here = rows if wanted is None else [row for row in rows if row[0] in wanted]
                if not here:
                    continue
                upto = at + len(here)
                if not self._whole(here, seqs[at:upto], hashes[at:upto]):
                    return None
                first = here[0][2] if first is None else first
                at = upto
        except _ODD:
            return None
        finally:
            for _ in stretch:  # the connection is free for the next question only when everything was read
                pass
        return first if at == len(seqs) else None

    def _between(self, low: int, high: int) -> Iterator[list[Any]]:
        """Return the rows from one number to another in order, a few hundred at a time."""
        columns = _COMPARED if self._sqlite else _SHORT
        query = f"SELECT {columns} FROM audit_record WHERE seq BETWEEN {int(low)} AND {int(high)} ORDER BY seq"  # noqa: S608 - integers
        if self._streams:
            rows = self._cursor.stream(query, binary=True, size=_AT_ONCE)
            while part := list(islice(rows, _AT_ONCE)):
                yield part
            return
        self._cursor.execute(query)
        while part := self._cursor.fetchmany(_AT_ONCE):
            yield part

    def _whole(self, rows: list[Any], seqs: Sequence[int], hashes: Sequence[bytes]) -> bool:
        """Compare numbers and hashes; then the columns with leaves that are proven by that, so of our own writing."""
        numbers, leaves, moments, *columns = zip(*rows, strict=True)
        if list(numbers) != seqs or list(map(_hashed, leaves)) != hashes:
            return False
        if self._sqlite:
            ats, same = columns
            return same.count(1) == len(rows) and self._dated(ats, moments)
        said = orjson.loads(b"[" + b",".join(leaves) + b"]")
        for member, column in zip(leaf.MEMBERS, columns, strict=True):
            if tuple(map(_said, said, repeat(member))) != column:
                return False
        return self._dated([one["at"] for one in said], moments)

    def _dated(self, ats: Sequence[str], moments: Sequence[int]) -> bool:
        """Say that the leaves' moments are those of the column; most of them share their second with others."""
        seconds = self._seconds
        if len(seconds) >= _KEPT:
            seconds.clear()
        for second in {at[:19] for at in ats} - seconds.keys():
            seconds[second] = clock.micros(datetime.fromisoformat(second + "+00:00"))
        return [seconds[at[:19]] + int(at[20:26]) for at in ats] == list(moments)


def _text(stored: bytes) -> str:
    """Return text; bytes that are none stay apart from every text."""
    return stored.decode("utf-8", "surrogateescape")


def _hashed(stored: bytes) -> bytes:
    """Return `leaf_hash`; the algorithm is looked up once and not for each record."""
    taken = _PREFIXED()
    taken.update(stored)
    return taken.digest()
