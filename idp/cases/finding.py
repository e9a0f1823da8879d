"""What the sharing detector hands over when an account crosses a line: the seam between it and the cases."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

KINDS = ("sharing", "takeover")
BANDS = ("notice", "case", "containment")


@dataclass(frozen=True, slots=True)
class Reason:
    """One kind of evidence: its part of the score, what was seen in plain words, and the rows it rests on."""

    kind: str
    """As the detector names it, such as `role_split`."""
    log_odds: float
    words: str
    """One sentence for people who are not technical."""
    days: int = 1
    rows: tuple[Mapping[str, object], ...] = ()
    """Evidence in plain values: `record` (number in the log), `at` (ISO 8601), `device`, `network`, `provider`,
    `session`, `function`; whatever is known. `provider` decides what that practice's access managers may see."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An account crossed a line of the detector."""

    account_id: str
    kind: str
    """`sharing` or `takeover`."""
    score: float
    """Log-odds."""
    band: str
    """`notice`, `case` or `containment`."""
    reasons: tuple[Reason, ...]
    version: str
    """Of the detector and its weights."""
    begins: datetime
    ends: datetime
    """The window the evidence lies in, both UTC-aware."""
    guards: tuple[str, ...] = field(default=())
    """What was seen and does not count, in plain words ("this device is a shared workstation of 14 accounts")."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.band not in BANDS:
            raise ValueError(f"no such finding: {self.kind}, {self.band}")
        if self.ends < self.begins:
            raise ValueError("a finding's window ends before it begins")
