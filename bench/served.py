"""One worker of ours as a process of its own, and what it and its database spend."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
PORT = int(os.environ.get("IDP_BENCH_PORT", "9031"))


def base_of(port: int) -> str:
    """Return the address of a worker at a port."""
    return f"http://127.0.0.1:{port}"


BASE = base_of(PORT)


def cpu(process: int) -> float:
    """Return the milliseconds a process's threads have run; finer than its clock ticks."""
    spent = 0
    for task in Path(f"/proc/{process}/task").iterdir():
        try:
            spent += int((task / "schedstat").read_text().split()[0])
        except OSError:  # it ended meanwhile
            continue
    return spent / 1e6


def faults(process: int) -> int:
    """Return how many pages a process was given."""
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[7])


def memory(process: int) -> float:
    """Return the MiB a process takes, what it shares divided by those who share it."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def held() -> float:
    """Return the MiB this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def serving(environment: Mapping[str, str], world: Path, port: int = PORT) -> Iterator[int]:
    """Migrate, apply the world, serve with one worker; yield its process id."""
    env = {**os.environ, **environment, "IDP_ISSUER": base_of(port), "IDP_DEVELOPMENT": "1", "PYTHONPATH": str(HOME)}
    idp = [sys.executable, "-m", "idp"]
    for words in (["migrate"], ["apply", str(world)]):
        subprocess.run([*idp, *words], env=env, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    log = world.with_suffix(".log").open("wb")
    served = subprocess.Popen([*idp, "serve", "--port", str(port), "--workers", "1"], env=env, stderr=log, stdout=log)  # noqa: S603
    try:
        _ready(served, world.with_suffix(".log"), port)
        yield served.pid
    finally:
        served.terminate()
        served.wait(30)
        log.close()


def _ready(served: "subprocess.Popen[bytes]", log: Path, port: int) -> None:
    for _ in range(600):
        if served.poll() is not None:
            break
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/.well-known/openid-configuration")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"the service did not start:\n{log.read_text()[-2000:]}")


def database_of(server: int) -> list[int]:
    """Return the processes of a PostgreSQL server, given its first."""
    found = [server]
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == server:
                found.append(int(entry.name))
        except OSError:
            continue
    return found
