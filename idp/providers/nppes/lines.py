"""Lines of a file of any size, each with its number and where in the file it ends: constant memory, exact resume.

One line is one row. A quotation that is not closed therefore costs its own line, never those that follow.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

LONGEST = 64 * 1024
"""Bytes of a line; a row of the public file has two to six thousand."""
_BEGINNING = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was read; `raw` is None for one that is too long."""

    number: int
    raw: bytes | None
    end: int
    """Position of the byte after it."""


def read(file: BinaryIO, position: int, number: int) -> Iterator[Line]:
    """Yield the lines after a position, which is the end of line `number`."""
    file.seek(position)
    while raw := file.readline(LONGEST):
        number += 1
        position += len(raw)
        if len(raw) == LONGEST and not raw.endswith(b"\n"):
            while part := file.readline(LONGEST):
                position += len(part)
                if part.endswith(b"\n"):
                    break
            yield Line(number, None, position)
        else:
            yield Line(number, raw, position)


def cells(line: Line) -> list[str]:
    """Return the cells of a line; raise ValueError with the reason why it is none."""
    if line.raw is None:
        raise ValueError(f"The line has more than {LONGEST} bytes.")
    try:
        text = line.raw.decode("utf-8-sig" if line.number == 1 else "utf-8")
    except UnicodeDecodeError as problem:
        raise ValueError(f"Byte {problem.start + 1} of the line is not UTF-8.") from None
    if "\0" in text:
        raise ValueError("The line holds a zero byte.")
    try:
        found = list(csv.reader([text], strict=True))
    except csv.Error as problem:
        raise ValueError(f"The line is not CSV: {problem}.") from None
    return found[0] if found else []


def digest(path: Path) -> str:
    """Return what tells one file from another: SHA-256 over its size and its first mebibyte."""
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING)
    return sha256(str(path.stat().st_size).encode() + b"\n" + beginning).hexdigest()
