"""Half-open intervals at one moment, and until when what they said stays true."""

from collections.abc import Sequence

FOREVER = 1 << 62
"""A moment that never comes, in microseconds since 1970."""


class Dates:
    """Answers whether intervals hold at a moment and remembers the earliest edge still to come.

    Every date a decision uses passes through here, so a remembered answer can't outlive any of them.
    """

    __slots__ = ("at", "replay", "until")

    def __init__(self, at: int, *, replay: bool = False) -> None:
        self.at = at
        self.replay = replay
        """Whether a past or future moment is asked about: then what was ended later still stood."""
        self.until = FOREVER

    def holds(self, starts: int, ends: int | None, ended: int | None = None) -> bool:
        """Say whether `starts <= at < ends` and nobody has ended it; moments in microseconds."""
        at = self.at
        if starts > at:
            self.turns(starts)
            return False
        if self.ended(ended):
            return False
        if ends is not None:
            if ends <= at:
                return False
            self.turns(ends)
        return True

    def ended(self, ended: int | None) -> bool:
        """Say whether somebody had ended it by then; what is ended now is ended whatever the clocks say."""
        if ended is None:
            return False
        if not self.replay:
            return True
        self.turns(ended)
        return ended <= self.at

    def begun(self, starts: int) -> bool:
        """Say whether a moment has come."""
        self.turns(starts)
        return starts <= self.at

    def then(self, history: Sequence[tuple[str, str | None, int]], now: str) -> str:
        """Return the value a history (value, value before, since when; in order) gives for the moment.

        Before it begins: what was there before its first change, else the first value known.
        """
        found = None
        for value, _, since in history:
            self.turns(since)
            if since <= self.at:
                found = value
        if found is not None:
            return found
        if not history:
            return now
        value, before, _ = history[0]
        return value if before is None else before

    def turns(self, edge: int | None) -> None:
        """Note a moment at which an answer changes."""
        if edge is not None and self.at < edge < self.until:
            self.until = edge
