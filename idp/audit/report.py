"""What verifying found, in words and by number."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from idp import clock
from idp.audit.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was sealed."""

    kind: str
    """altered, columns, missing, inserted, reordered, repeated, refused, cut_off, forged, broken."""
    record: int | None
    """Number of the (first) record concerned; None where a checkpoint is."""
    sentence: str


@dataclass(slots=True)
class Report:
    """What verifying found; `sentence` says it to a person."""

    records: int = 0
    """Records proven by a signed checkpoint."""
    checkpoints: int = 0
    newest: Checkpoint | None = None
    first_at: datetime | None = None
    pruned: int = 0
    """Records destroyed after their time; what is left of the tree proves that they were there."""
    waiting: int = 0
    """Records not sealed yet: nothing proves them before the next batch (at most 250 ms)."""
    copies: int | None = None
    """Checkpoints compared with their copy outside the database; None without a copy."""
    findings: list[Finding] = field(default_factory=list)
    """In the order of the tree; the first is the first bad record."""

    @property
    def whole(self) -> bool:
        """Say whether nothing is wrong."""
        return not self.findings

    @property
    def first(self) -> Finding | None:
        """Return the first finding in tree order."""
        return self.findings[0] if self.findings else None

    @property
    def sentence(self) -> str:
        """Return the outcome in words."""
        if self.first is not None:
            more = f" {len(self.findings) - 1} more findings." if len(self.findings) > 1 else ""
            return f"The log is NOT whole. {self.first.sentence} {self.records} records before it are proven.{more}"
        if self.newest is None:
            return f"Nothing is sealed yet; {self.waiting} records wait."
        span = f", {clock.iso(self.first_at)} to {clock.iso(self.newest.at)}" if self.first_at else ""
        tail = (
            f" {_counted(self.waiting, 'newer record', 'waits', 'wait')} to be sealed, not proven yet."
            if self.waiting
            else ""
        )
        beside = (
            f" {_counted(self.copies, 'checkpoint', 'agrees', 'agree')} with the copy."
            if self.copies is not None
            else " No copy of the checkpoints to compare with: an older state of the whole log would not be noticed."
        )
        older = (
            f" {_counted(self.pruned, 'older record', 'was', 'were')} pruned after their time." if self.pruned else ""
        )
        return f"The log is whole: {self.records} records verified{span}.{older}{tail}{beside}"


class Findings:
    """What is wrong with a log, in the order in which it is met; at most so many are kept."""

    def __init__(self, report: Report, limit: int) -> None:
        self._kept = report.findings
        self._limit = limit
        self.none = True
        """Nothing was wrong so far."""

    def add(self, kind: str, record: int | None, sentence: str) -> None:
        """Say what is wrong."""
        self.none = False
        if len(self._kept) < self._limit:
            self._kept.append(Finding(kind, record, sentence))


def _counted(number: int, noun: str, one: str, many: str) -> str:
    return f"{number} {noun} {one}" if number == 1 else f"{number} {noun}s {many}"


class Seen:
    """The numbers met so far: one bit each where they are dense, a set for numbers far out."""

    def __init__(self, dense: int) -> None:
        self._bits = bytearray(dense // 8 + 1)
        self._dense = dense
        self._far: set[int] = set()

    def add(self, number: int) -> bool:
        """Add a number; return False when it was there before."""
        if not 0 <= number < self._dense:
            known = number in self._far
            self._far.add(number)
            return not known
        byte, bit = number >> 3, 1 << (number & 7)
        known = bool(self._bits[byte] & bit)
        self._bits[byte] |= bit
        return not known

    def add_all(self, numbers: Sequence[int]) -> bool:
        """Add numbers of which none was met before; else, or where one stands twice, add none and return False."""
        low, high = min(numbers, default=0), max(numbers, default=-1)
        if len(set(numbers)) != len(numbers):
            return False
        if low < 0 or high >= self._dense or high - low + 1 != len(numbers):
            return not any(one in self for one in numbers) and all(self.add(one) for one in numbers)
        bits, run = self._bits_of(low, high + 1), ((1 << len(numbers)) - 1) << (low & 7)
        if bits & run:
            return False
        first, last = low >> 3, high >> 3
        self._bits[first : last + 1] = (bits | run).to_bytes(last - first + 1, "little")
        return True

    def _bits_of(self, start: int, end: int) -> int:
        return int.from_bytes(self._bits[start >> 3 : (end + 7) >> 3], "little")

    def __contains__(self, number: int) -> bool:
        if not 0 <= number < self._dense:
            return number in self._far
        return bool(self._bits[number >> 3] & 1 << (number & 7))
