"""What was signed: the checkpoints in the database, and their copies outside of it."""

from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import text
from sqlmodel import Session

from idp import clock
from idp.audit import copies
from idp.audit.checkpoint import BadCheckpoint, Checkpoint, read
from idp.audit.report import Findings, Report

_CHECKPOINTS = text("SELECT number, size, root, note FROM audit_checkpoint WHERE number > :n ORDER BY number LIMIT 500")


class Stated:
    """The signed statements about one log; those that nobody signed are named."""

    def __init__(self, session: Session, origin: str, public: Ed25519PublicKey, found: Findings) -> None:
        self._session = session
        self._origin = origin
        self._public = public
        self._found = found

    def checkpoints(self, report: Report) -> Iterator[Checkpoint]:
        """Return every checkpoint that is genuine, smallest first; name the others."""
        number = 0
        size = 0
        while rows := self._session.execute(_CHECKPOINTS, {"n": number}).all():
            for row in rows:
                if row.number != number + 1:
                    self._found.add("missing", None, f"Checkpoint {number + 1} is missing.")
                number = row.number
                try:
                    stated = read(row.note, self._origin, self._public)
                except BadCheckpoint as problem:
                    self._found.add("forged", None, f"Checkpoint {number} is forged: {problem}.")
                    continue
                if stated.size != row.size or stated.root != bytes(row.root) or stated.size < size:
                    sentence = f"Checkpoint {number} does not say what was signed under its number."
                    self._found.add("forged", None, sentence)
                    continue
                size = stated.size
                report.checkpoints += 1
                yield stated

    def copied(self, path: Path | None) -> dict[int, Checkpoint]:
        """Return the copy's checkpoints by size; name those that are forged."""
        found: dict[int, Checkpoint] = {}
        if path is None:
            return found
        try:
            for number, note in copies.notes(path):
                try:
                    stated = read(note, self._origin, self._public)
                except BadCheckpoint as problem:
                    self._found.add("forged", None, f"The copy of checkpoint {number} is forged: {problem}.")
                    continue
                found[stated.size] = stated
        except FileNotFoundError:
            if self._session.execute(text("SELECT count(*) FROM audit_checkpoint")).scalar():
                self._found.add("broken", None, f"The copy of the checkpoints is gone: {path}.")
        except OSError as problem:
            self._found.add("broken", None, f"The copy of the checkpoints cannot be read: {problem.strerror}.")
        return found


def rolled_back(found: Findings, report: Report, copied: dict[int, Checkpoint], size: int, last_seq: int) -> None:
    """Name a log whose copy states more than the database holds."""
    ahead = max(copied, default=0)
    newest = report.newest.size if report.newest else 0
    if ahead > max(newest, size):
        found.add(
            "cut_off",
            None,
            f"Records after number {last_seq} are gone: the log was cut off or rolled back to an older state. "
            f"The copy states {ahead} records at {clock.iso(copied[ahead].at)}, the database holds {size}.",
        )
