"""The copy of every checkpoint outside the database: one JSON line each, flushed to the disk.

A database that was rolled back, or whose log was cut off and sealed anew, cannot take these back. Put the
file where the database's owners cannot write (another host's append-only share, write-once storage).
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import orjson

_TAIL = 65_536


def append(path: Path, number: int, note: str) -> None:
    """Add a checkpoint's note and return once it is on the disk."""
    line = orjson.dumps({"number": number, "note": note}) + b"\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        length = os.fstat(handle).st_size
        if length and os.pread(handle, 1, length - 1) != b"\n":  # a writer died in the middle of its line
            line = b"\n" + line
        os.write(handle, line)
        os.fsync(handle)
    finally:
        os.close(handle)


def notes(path: Path) -> Iterator[tuple[int, str]]:
    """Return every (number, note), oldest first; half a line, left by a crash, is passed over."""
    with path.open("rb") as file:
        yield from _read(file)


def last(path: Path) -> tuple[int, str] | None:
    """Return the note with the highest number, looking only at the file's end (workers may overtake)."""
    try:
        with path.open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - _TAIL))
            if length > _TAIL:
                file.readline()
            return max(_read(file), default=None)
    except FileNotFoundError:
        return None


def _read(file: "Iterator[bytes]") -> Iterator[tuple[int, str]]:
    for line in file:
        try:
            entry = orjson.loads(line)
            yield int(entry["number"]), str(entry["note"])
        except (ValueError, KeyError, TypeError):
            continue
