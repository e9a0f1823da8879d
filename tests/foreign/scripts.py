"""Run one of the foreign providers' scripts with node, on loopback, for as long as a test needs it."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@contextmanager
def running_script(name: str, told: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[], None]]]:
    """Start a script and tell it what it serves; yield its issuer, and what ends it before the block does."""
    node = shutil.which("node")
    if node is None:
        from scripts import node_packages

        node = str(node_packages.find_node())
    process = subprocess.Popen(
        [node, str(HERE / name)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def end() -> None:
        process.kill()
        process.wait(10)

    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(told))
        process.stdin.close()
        process.stdin = None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{name} did not start; `make test` installs what it needs (scripts/test_needs.py)")
        yield json.loads(line)["issuer"], end
    finally:
        process.kill()
        process.communicate(timeout=10)
