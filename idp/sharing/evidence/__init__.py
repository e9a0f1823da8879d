"""The kinds of evidence, one file each: what is looked for, and which innocent patterns are let be.

Each has `KIND` and `look(seen)`, which answers with a `Finding` or None and changes only its own counters.
Source: domain.md 10.
"""

from collections.abc import Callable

from idp.sharing.evidence import (
    absent_desktop,
    device_spread,
    foreign_device,
    handover,
    hours_span,
    hours_split,
    new_work,
    overlap,
    report,
    role_split,
    slow_code,
    two_hands,
    two_places,
)
from idp.sharing.seen import Finding, Seen

Look = Callable[[Seen], Finding | None]

REQUEST: tuple[tuple[str, Look], ...] = tuple(
    (kind.KIND, kind.look)
    for kind in (
        role_split, foreign_device, two_hands, absent_desktop, handover, two_places, overlap, device_spread, hours_span,
        new_work, hours_split,
    )
)  # fmt: skip
"""Looked for at every interactive request, in this order."""
SIGN_IN: tuple[tuple[str, Look], ...] = ((foreign_device.KIND, foreign_device.look), (two_places.KIND, two_places.look))
FACTOR: tuple[tuple[str, Look], ...] = ((slow_code.KIND, slow_code.look),)
REPORT: tuple[tuple[str, Look], ...] = ((report.KIND, report.look),)
KINDS = (*(kind for kind, _ in REQUEST), slow_code.KIND, report.KIND)
