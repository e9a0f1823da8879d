"""The bits of a list as its token carries them (draft-ietf-oauth-status-list 4.1, 4.2)."""

import base64
import zlib
from collections.abc import Iterable

BITS = 1
"""Valid or not, nothing between: any other status would tell strangers why (12.8 of the draft)."""


def packed(size: int, revoked: Iterable[int]) -> str:
    """Return `lst`: one bit for each place, the first in the lowest bit of the first byte; zlib, base64url."""
    bits = bytearray(-(-size // 8))
    for place in revoked:
        bits[place >> 3] |= 1 << (place & 7)
    return base64.urlsafe_b64encode(zlib.compress(bits, 9)).decode().rstrip("=")
