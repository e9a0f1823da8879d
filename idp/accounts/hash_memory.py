"""The memory Argon2id works in: kept from one hash to the next, given back once nobody signs in.

Memory fresh from the system costs as much as a third of the hash: its 19 MiB are 4,900 pages to be found and
cleared. So a place to hash at keeps its block, in large pages where the system has them. The library wipes a block
after each hash; after a moment without one the blocks go back (a worker's memory is bounded, performance.md).
"""

import contextlib
import mmap
import threading
import time
from functools import cache
from typing import Any

_LARGE_PAGE = 1 << 21
_REST = 1.0
"""Seconds without a hash after which the blocks go back."""


class _Block:
    """Memory for one hash at a time, and the two functions by which the library takes and leaves it."""

    def __init__(self, ffi: Any, size: int) -> None:
        self.size = size
        self.memory = mmap.mmap(-1, -(-size // _LARGE_PAGE) * _LARGE_PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with contextlib.suppress(OSError, AttributeError):  # a system without large pages has small ones
            self.memory.madvise(mmap.MADV_HUGEPAGE)
        start = ffi.cast("uint8_t *", ffi.from_buffer(self.memory))

        def take(where: Any, wanted: int) -> int:
            if wanted <= size:
                where[0] = start
            return 0  # the library looks at the address: none is an error

        self.take = ffi.callback("int(uint8_t **, size_t)", take)
        self.leave = ffi.callback("void(uint8_t *, size_t)", lambda _memory, _size: None)


class _Blocks:
    """The blocks of this process that nobody works in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: list[_Block] = []
        self._used_at = 0.0
        self._timer: threading.Timer | None = None

    def take(self, ffi: Any, size: int) -> _Block:
        """Return a block of at least this size, the one used last if there is one."""
        with self._lock:
            for block in reversed(self._free):
                if block.size >= size:
                    self._free.remove(block)
                    return block
        return _Block(ffi, size)

    def put(self, block: _Block) -> None:
        """Keep a block for the next hash; have it given back if none comes."""
        with self._lock:
            self._free.append(block)
            self._used_at = time.monotonic()
            if self._timer is None:
                self._watch(_REST)

    def _watch(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._give_back)
        self._timer.daemon = True
        self._timer.start()

    def _give_back(self) -> None:
        with self._lock:
            left = self._used_at + _REST - time.monotonic()
            if left > 0:
                self._watch(left)
                return
            self._free.clear()  # a block in use comes back and is seen again
            self._timer = None


_blocks = _Blocks()


def argon2id(password: bytes, salt: bytes, *, rounds: int, kibibytes: int, lanes: int, length: int) -> bytes:
    """Compute Argon2id, version 1.3 (RFC 9106), by the reference library; raise MemoryError, ValueError."""
    library, ffi = _library()
    out = ffi.new("uint8_t[]", length)
    typed, grain = ffi.new("uint8_t[]", password), ffi.new("uint8_t[]", salt)
    block = _blocks.take(ffi, kibibytes * 1024)
    try:
        context = ffi.new(
            "argon2_context *",
            {
                "out": out,
                "outlen": length,
                "pwd": typed,
                "pwdlen": len(password),
                "salt": grain,
                "saltlen": len(salt),
                "t_cost": rounds,
                "m_cost": kibibytes,
                "lanes": lanes,
                "threads": lanes,
                "version": library.lib.ARGON2_VERSION_13,
                "allocate_cbk": block.take,
                "free_cbk": block.leave,
                "flags": library.lib.ARGON2_DEFAULT_FLAGS,
            },
        )
        problem = library.core(context, library.Type.ID.value)
    finally:
        _blocks.put(block)
    if problem == library.lib.ARGON2_MEMORY_ALLOCATION_ERROR:
        raise MemoryError
    if problem != library.lib.ARGON2_OK:
        raise ValueError(library.error_to_str(problem))
    return bytes(ffi.buffer(out, length))


@cache
def _library() -> tuple[Any, Any]:
    from argon2 import low_level  # with the first password: a worker starts without it

    return low_level, low_level.ffi
