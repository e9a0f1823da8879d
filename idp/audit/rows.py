"""Read the stored rows of a batch and compare them with the hashes they were sealed under, many at a time.

The common case, a batch whose rows are all there and as they were sealed, costs a few operations a record;
`ordinary` says so and nothing more. Whatever is not ordinary is looked at record by record in `verify.py`.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from sqlmodel import Session

from idp import clock
from idp.audit import leaf
from idp.database import of

_COLUMNS = ", ".join(("seq", "leaf", "mac", *leaf.CHECKED))
_SHORT = ", ".join(("seq", "leaf", *leaf.CHECKED))
_CHUNK = 500
_AT_ONCE = 250
_KEPT = 10_000
"""Seconds whose beginning is remembered."""


class Rows:
    """The rows of one snapshot, read with the driver itself: an object for each row is half of the time."""

    def __init__(self, session: Session) -> None:
        self._sqlite = of(session).is_sqlite
        driver: Any = session.connection().connection.driver_connection
        self._cursor: Any = driver.cursor() if self._sqlite else driver.cursor(binary=True)
        self._seconds: dict[str, int] = {}

    def named(self, seqs: Sequence[int]) -> list[Any]:
        """Return the rows of these numbers that are there: number, leaf, mac, the checked columns."""
        found: list[Any] = []
        for start in range(0, len(seqs), _CHUNK):
            marks = ",".join(str(int(n)) for n in seqs[start : start + _CHUNK])
            self._cursor.execute(f"SELECT {_COLUMNS} FROM audit_record WHERE seq IN ({marks})")  # noqa: S608 - integers
            found += self._cursor.fetchall()
        return found

    def ordinary(self, seqs: Sequence[int], hashes: Sequence[bytes]) -> int | None:
        """Say that every row of the batch is there and whole, by the moment of its first; else return None."""
        if not seqs or seqs[-1] - seqs[0] != len(seqs) - 1:
            return None
        where = f"seq BETWEEN {int(seqs[0])} AND {int(seqs[-1])} ORDER BY seq"
        self._cursor.execute(f"SELECT {_SHORT} FROM audit_record WHERE {where}")  # noqa: S608 - integers
        first: int | None = None
        try:
            for start in range(0, len(seqs), _AT_ONCE):  # a few at a time: they stay in the processor's memory
                rows = self._cursor.fetchmany(_AT_ONCE)
                if [row[0] for row in rows] != list(seqs[start : start + _AT_ONCE]):
                    return None
                if [sha256(b"\x00" + row[1]).digest() for row in rows] != hashes[start : start + _AT_ONCE]:
                    return None
                if not self._columns_agree(rows):
                    return None
                first = rows[0][2] if first is None else first
        except (TypeError, ValueError, KeyError, AttributeError):  # text in place of bytes, no JSON, no object
            return None
        return first

    def _columns_agree(self, rows: Sequence[Any]) -> bool:
        """Compare the columns with leaves that are proven, so of our own writing."""
        seconds = self._seconds
        for row in rows:
            said = orjson.loads(row[1])
            if tuple(map(said.get, leaf.MEMBERS)) != row[3:]:
                return False
            at = said["at"]
            second = seconds.get(at[:19])
            if second is None:
                if len(seconds) >= _KEPT:
                    seconds.clear()
                second = seconds[at[:19]] = clock.micros(datetime.fromisoformat(at[:19] + "+00:00"))
            if second + int(at[20:26]) != row[2]:
                return False
        return True
