"""What a worker took for a password hash goes back to the system."""

import subprocess
import sys

PROGRAM = """
import re, sys, threading
from argon2.low_level import Type, hash_secret_raw
if sys.argv[1] == "given back":
    from idp.cli import memory
    memory.give_back()
def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read()).group(1)) / 1024
def hash_some():
    for _ in range(2):
        hash_secret_raw(b"password", b"salt" * 4, 1, 19456, 1, 32, Type.ID)
before = resident()
for _ in range(4):
    one = threading.Thread(target=hash_some)
    one.start()
    one.join()
print(resident() - before)
"""


def _kept(how: str) -> float:
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return float(done.stdout)


def test_performance_a_hash_leaves_nothing_behind() -> None:
    assert _kept("given back") < 8 < _kept("left alone")
