"""A detector that keeps, of one round, what it rests on, what it scored, and which lines were crossed."""

from dataclasses import dataclass, field

from idp.sharing.detector import Crossed, Detector, Score
from idp.sharing.events import Act, Report
from idp.sharing.live.stored import MARKS, Known, Mark
from idp.sharing.live.translating import Cleared, Record
from idp.sharing.seen import Seen, local


@dataclass(slots=True)
class Watcher(Detector):
    """One round's detector; its memory holds only what the round's acts touch."""

    devices: set[str] = field(default_factory=set)
    """Devices whose memory changed."""
    scores: dict[tuple[str, str], tuple[float, Score]] = field(default_factory=dict)
    """The newest score by account and what, with its moment."""
    highest: dict[tuple[str, str, int], Score] = field(default_factory=dict)
    """The highest score by account, what and day."""
    findings: list[tuple[Crossed, Score, dict[str, list[Mark]]]] = field(default_factory=list)
    """Each with the records it rested on then: the same round may see more of the account."""
    cleared: set[tuple[str, str]] = field(default_factory=set)
    record: Record | None = None
    known: Known | None = None

    def look(self, record: Record, act: Act, known: Known) -> None:
        """Take in the act of a record."""
        self.record, self.known = record, known
        if not isinstance(act, Report):
            self.devices.add(act.device)
        for crossed in self.feed(act):
            standing = self.standing(crossed.account, crossed.time, crossed.what)
            self.findings.append((crossed, standing, dict(known.marks)))

    def clear(self, cleared: Cleared, known: Known) -> None:
        """Let go of what was seen of an account and decided to be innocent; what comes after counts anew."""
        memory, what = known.memory, cleared.what
        if what == "sharing":
            memory.evidence, memory.band = {}, ""
        else:
            memory.takeover, memory.takeover_band = {}, ""
        known.marks = {key: marks for key, marks in known.marks.items() if not key.startswith(f"{what} ")}
        self.scores.pop((cleared.account, what), None)
        self.cleared.add((cleared.account, what))

    def _noted(self, seen: Seen, what: str, kind: str) -> None:
        record, known, act = self.record, self.known, seen.act
        assert record is not None
        assert known is not None
        mark = Mark(
            record.seq,
            act.time,
            seen.here,
            seen.line,
            record.provider_id or "",
            record.session_id or "",
            getattr(act, "function", ""),
        )
        key = f"{what} {kind}"
        known.marks[key] = [*known.marks.get(key, [])[-(MARKS - 1) :], mark]

    def _scored(self, account: str, what: str, time: float) -> None:
        score = self.standing(account, time, what)
        self.scores[account, what] = time, score
        zone = self.memory.providers[self.memory.accounts[account].provider].time_zone
        key = (account, what, local(zone, time)[0])
        if key not in self.highest or score.log_odds > self.highest[key].log_odds:
            self.highest[key] = score
