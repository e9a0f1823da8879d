"""How far a long storm is: told twice a minute, and ended after so many minutes with what it has come to by then."""

import os
import sys
import time

MINUTES = float(os.environ.get("IDP_LONG_MINUTES", "60"))
"""A long storm's end, however far it came; then it fails, and says how far."""
EVERY = 30.0
"""Seconds between two lines."""


class Along:
    """The progress of one storm."""

    def __init__(self, wanted: int) -> None:
        self._wanted, self._begun, self._told = wanted, time.monotonic(), time.monotonic()

    def over(self, done: int, wrong: int) -> bool:
        """Tell how far it is, now and then; say whether its time is up."""
        now = time.monotonic()
        if now - self._told >= EVERY:
            self._told = now
            self._say(f"{done:,} of {self._wanted:,} decisions after {now - self._begun:.0f} s, {wrong} wrong")
        if now - self._begun < 60 * MINUTES:
            return False
        self._say(f"ended after {MINUTES:g} minutes, {done:,} of {self._wanted:,} decisions: a part, {wrong} wrong")
        return True

    def interrupted(self) -> None:
        """Say that somebody ended it."""
        self._say("ended by hand: what follows is a part")

    @staticmethod
    def _say(line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
