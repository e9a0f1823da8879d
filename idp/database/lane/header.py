"""Whether anybody committed to an SQLite file, told by the header of its write-ahead log's index.

That header (sqlite.org/walformat.html, 2.1) is what SQLite itself compares when it begins to read: two copies of a
counter, of the log's length, its salts and the checksum over all of it. Every commit changes them before it returns, in
every process. SQLite keeps the index mapped as long as a connection is open; looking there costs a fiftieth of asking
with a statement, which locks and unlocks the file. The file is never opened here: closing it would give up the locks
SQLite holds on it (POSIX).
"""

import ctypes
import os
from pathlib import Path

COPIES = 96
"""Bytes of both copies. A reading between the two is like no other, so what rests on it is read again."""
MAPS = Path("/proc/self/maps")


def mapped(database: str, maps: Path = MAPS) -> "ctypes.Array[ctypes.c_char] | None":
    """Return the header where SQLite has it in this process's memory, or None where that can't be told.

    It may be looked at while a connection to this database stays open, and no longer.
    """
    index = Path(os.path.realpath(database) + "-shm")
    try:
        inode, lines = index.stat().st_ino, maps.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        where, rights, offset, _, number, *name = line.split(maxsplit=5)
        if (
            [str(index)] == name
            and int(number) == inode
            and rights[0] == "r"
            and rights[3] == "s"
            and not int(offset, 16)
        ):
            return (ctypes.c_char * COPIES).from_address(int(where.split("-")[0], 16))
    return None
