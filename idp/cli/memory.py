"""Tell the C library how a worker uses memory; nothing where it is not glibc.

Large blocks come and go. Left alone, glibc learns from the first one that blocks of that size do, and from then on
keeps them: one for each thread's arena. (Password hashes have memory of their own: `accounts/hash_memory.py`.) With a
fixed threshold each such block goes back to the system at once; with two arenas the threads share what they freed.
"""

import ctypes
import os

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Numbers of mallopt(3)."""
_ARENAS = 2
_LARGE = 1 << 20
"""Bytes from which a block is the system's, and of free memory at the top that is kept."""


def give_back() -> None:
    """Let large blocks and free memory go back to the system. What the operator set in MALLOC_... stays."""
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for option, value in ((_M_ARENA_MAX, _ARENAS), (_M_MMAP_THRESHOLD, _LARGE), (_M_TRIM_THRESHOLD, _LARGE)):
        mallopt(option, value)
