"""A process that has imported the service and forks one server after another, so that hundreds can be killed.

Importing is most of a start. What is forked runs `idp serve` from its first line, in a session of its own, with no
thread, connection or file of the service open before.
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


class Forked:
    """A server that the cradle forked; stands in for the process that `Server` would have started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return None while it runs."""
        return 0 if select.select([self._handle], [], [], 0)[0] else None

    def wait(self, seconds: float) -> None:
        """Wait until it is gone."""
        assert select.select([self._handle], [], [], seconds)[0], "a killed process is still there"
        os.close(self._handle)


class Cradle:
    """Forks servers until it is closed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.cradle"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(self, arguments: Sequence[str], environment: dict[str, str], log: Path) -> Forked:
        """Fork a process that runs `idp` with these arguments."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([list(arguments), environment, str(log)]) + "\n")
        self._process.stdin.flush()
        return Forked(int(self._process.stdout.readline()))

    def close(self) -> None:
        """End the cradle; servers that still run are not its concern."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)


def _be(arguments: list[str], environment: dict[str, str], log: str) -> None:
    """Become a server: what a fresh process would have at this point."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    nothing, written = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for kept, number in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(kept, number)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["idp", *arguments]
    from idp.cli import main

    main()


def _rock() -> None:
    import idp.cli.serving
    import idp.web.manager.people  # noqa: F401 - the pages that the load asks for

    assert threading.active_count() == 1, "a thread does not live through a fork"
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # what ends is gone at once
    answers = os.dup(1)
    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            with suppress(BaseException):
                os.close(answers)
                _be(*json.loads(line))
            os._exit(1)
        os.write(answers, f"{pid}\n".encode())


if __name__ == "__main__":
    _rock()
