"""A storm of password sign-ins: what one worker holds, how fast it refuses the rest, what token checks cost meanwhile.

    python -m bench.storm [--postgres] [--seconds N] [--people N]

How many Argon2id a core can do at all is measured in the same run. Everybody's journey is ready; in the storm each
sends a wrong password again and again (it costs a hash like a right one), many more than can be hashed. The cost of a
token check in the storm is what the worker's event loop spends more when checks are asked too.
"""

import argparse
import base64
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import orjson

from bench import served, sign_ins
from bench.visitor import Visitor

_PORTAL = base64.b64encode(b"portal-app:portal-secret-portal-secret-portal-0").decode()
_SERVICE = base64.b64encode(b"svc-es:svc-secret-svc-secret-svc-secret-0").decode()
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Found:
    """What a storm showed; times in seconds."""

    hashed: int = 0
    refused: list[float] = field(default_factory=list)
    without: int = 0
    """Refusals that name no time to come back."""
    other: list[int] = field(default_factory=list)
    loop: float = 0.0
    """Milliseconds the event loop ran."""
    checks: int = 0
    seconds: float = 0.0
    spent: float = 0.0
    """Milliseconds the whole worker ran."""


def _loop(process: int) -> float:
    return int(Path(f"/proc/{process}/task/{process}/schedstat").read_text().split()[0]) / 1e6


class Checks:
    """A portal that asks whether a token is good."""

    def __init__(self) -> None:
        self._connection = HTTPConnection("127.0.0.1", served.PORT, timeout=30)
        asked = {"grant_type": "client_credentials", "scope": "access:evaluate"}
        token = self._post("/oauth/token", asked, _SERVICE)["access_token"]
        self._asked = {"token": token}

    def _post(self, path: str, form: dict[str, str], basic: str) -> dict[str, str]:
        self._connection.request("POST", path, urlencode(form), {**_FORM, "Authorization": f"Basic {basic}"})
        answer = self._connection.getresponse()
        value: dict[str, str] = orjson.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(value)
        return value

    def one(self) -> None:
        """Ask once."""
        if not self._post("/oauth/introspect", self._asked, _PORTAL)["active"]:
            raise RuntimeError("the token is not good")


def _ready() -> Callable[[], tuple[int, float, bool]]:
    """Bring a browser to the password page; return what sends a wrong password and says status, time, Retry-After."""
    browser = Visitor()
    browser.authorize()
    browser.submit(username=sign_ins.NAME)
    body = urlencode({**browser.fields("password"), "password": "not the password at all"})
    cookies = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
    headers = {**_FORM, "Cookie": cookies, "Origin": served.BASE, "Accept": "text/html"}
    connection = HTTPConnection("127.0.0.1", served.PORT, timeout=30)

    def send() -> tuple[int, float, bool]:
        began = time.monotonic()
        connection.request("POST", "/sign-in/password", body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, time.monotonic() - began, answer.headers["Retry-After"] is not None

    return send


def storm(process: int, senders: list[Callable[[], tuple[int, float, bool]]], seconds: float, checks: int = 0) -> Found:
    """Storm so long, with so many token checks spread over it."""
    found, lock, over = Found(), threading.Lock(), time.monotonic() + seconds

    def one(send: Callable[[], tuple[int, float, bool]]) -> None:
        while time.monotonic() < over:
            status, took, says = send()
            with lock:
                if status == 429:
                    found.refused.append(took)
                    found.without += not says
                elif status == 401:
                    found.hashed += 1
                else:
                    found.other.append(status)
            time.sleep(0.4 if status == 429 else 0)

    portal = Checks() if checks else None
    threads = [threading.Thread(target=one, args=(send,)) for send in senders]
    before, spent, began = _loop(process), served.cpu(process), time.monotonic()
    for thread in threads:
        thread.start()
    while portal is not None and found.checks < checks and time.monotonic() < over:
        portal.one()
        found.checks += 1
        time.sleep(max(0.0, began + found.checks * seconds / checks - time.monotonic()))
    for thread in threads:
        thread.join()
    found.loop, found.spent = _loop(process) - before, served.cpu(process) - spent
    found.seconds = time.monotonic() - began
    return found


def calm(process: int, checks: int) -> float:
    """Return what a token check costs the event loop when nobody storms, in milliseconds."""
    portal = Checks()
    for _ in range(20):
        portal.one()
    before = _loop(process)
    for _ in range(checks):
        portal.one()
        time.sleep(0.005)
    return (_loop(process) - before) / checks


def _held(process: int, senders: list[Callable[[], tuple[int, float, bool]]], seconds: float) -> tuple[float, float]:
    """Return sign-ins, and hashes alone, a second of a core: of people who all find a place or a seat.

    Both are means of the same moments, two hashes at once: what else the machine does makes both dearer.
    """
    with ThreadPoolExecutor(2) as two:
        before = list(two.map(sign_ins.hashes, (12, 12)))
        found = storm(process, senders, seconds)
        after = list(two.map(sign_ins.hashes, (12, 12)))
    return 1000 * found.hashed / found.spent, 1000 / statistics.mean(one for each in before + after for one in each)


def measure(process: int, *, people: int, seconds: float, rounds: int = 3) -> dict[str, float]:
    """Return the figures of a storm."""
    senders = [_ready() for _ in range(people)]
    per_check, checks = [], int(seconds * 60)
    alone = calm(process, checks)
    seen: list[Found] = []
    for _ in range(rounds):
        quiet, asked = storm(process, senders, seconds), storm(process, senders, seconds, checks)
        # for each second of it: the same storm takes longer on a busy machine
        more = asked.loop - quiet.loop * asked.seconds / quiet.seconds
        per_check.append(more / max(asked.checks, 1))
        seen += [quiet, asked]
    refused = sorted(took for one in seen for took in one.refused)
    held, limit = max(
        (_held(process, senders[:4], seconds) for _ in range(2 * rounds)), key=lambda both: both[0] / both[1]
    )
    return {
        "hashes a second of a core, and nothing else": limit,
        "sign-ins a second of the worker's time": held,
        "share of the limit": held / limit,
        "the same while the excess is refused": max(1000 * s.hashed / s.spent for s in seen if not s.checks),
        "sign-ins a second by the clock": sum(s.hashed for s in seen) / sum(s.seconds for s in seen),
        "refused": len(refused),
        "refused, half of them within ms": 1000 * statistics.median(refused) if refused else 0,
        "refused, 99 of 100 within ms": 1000 * refused[int(len(refused) * 0.99)] if refused else 0,
        "refused without Retry-After": sum(s.without for s in seen),
        "other answers": sum(len(s.other) for s in seen),
        "a token check in calm, ms": alone,
        "a token check in the storm, ms": statistics.median(per_check),
        "storm / calm": statistics.median(per_check) / alone,
        "memory, MiB": served.memory(process),
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--people", type=int, default=60)
    chosen = parser.parse_args()
    with sign_ins.the_service(postgres=chosen.postgres) as (process, _, _):
        for name, value in measure(process, people=chosen.people, seconds=chosen.seconds).items():
            print(f"{name:42}{value:10.2f}")


if __name__ == "__main__":
    main()
