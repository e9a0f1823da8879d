"""Write and check requirements.lock (everything) and requirements-runtime.lock (what the image needs).

    python scripts/locks.py write     resolve again
    python scripts/locks.py check     compare with pyproject.toml; says what differs

The locks hold names, versions and hashes only, no address of any registry.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HOME = Path(__file__).resolve().parent.parent
LOCKS = {"requirements.lock": ["--group", "dev"], "requirements-runtime.lock": []}
OPTIONS = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate", "--quiet"]


def compile_lock(name: str, *, to: Path) -> int:
    """Resolve one lock with uv, which keeps the pins `to` already holds; return its exit status."""
    command = ["uv", "pip", "compile", "pyproject.toml", *LOCKS[name], *OPTIONS, "-o", str(to)]
    found = Path(sys.executable).with_name("uv")
    command[0] = str(found) if found.exists() else "uv"
    return subprocess.run(command, cwd=HOME, check=False, stdin=subprocess.DEVNULL).returncode


def pins(text: str) -> dict[str, list[tuple[str, Marker | None]]]:
    """Return name -> [(version, marker)] of a lock."""
    found: dict[str, list[tuple[str, Marker | None]]] = {}
    for line in text.splitlines():
        if not line or line[0] in " #":
            continue
        requirement = Requirement(line.rstrip("\\ "))
        version = str(requirement.specifier).removeprefix("==")
        found.setdefault(canonicalize_name(requirement.name), []).append((version, requirement.marker))
    return found


def problems(name: str, text: str, wanted: list[str]) -> list[str]:
    """Return what is wrong with a lock, one sentence each."""
    found = [
        f"{name}: line {number} holds an address"
        for number, line in enumerate(text.splitlines(), 1)
        if "://" in line or line.startswith(("-", "--")) or " @ " in line
    ]
    entries = re.split(r"\n(?=\S)", text.strip())
    found += [f"{name}: {entry.split()[0]} has no hash" for entry in entries if "--hash=sha256:" not in entry]
    locked = pins(text)
    for line in wanted:
        requirement = Requirement(line)
        versions = locked.get(canonicalize_name(requirement.name))
        if not versions:
            found.append(f"{name}: {requirement.name} is in pyproject.toml but not in the lock")
        elif not all(requirement.specifier.contains(version) for version, _ in versions):
            found.append(f"{name}: {requirement.name} is locked at {versions[0][0]}, pyproject.toml says {line}")
    return found


def check() -> list[str]:
    """Compare both locks with pyproject.toml and with each other."""
    project = tomllib.loads((HOME / "pyproject.toml").read_text())
    runtime = project["project"]["dependencies"]
    everything = [*runtime, *project["dependency-groups"]["dev"]]
    texts = {name: (HOME / name).read_text() for name in LOCKS}
    found = problems("requirements.lock", texts["requirements.lock"], everything)
    found += problems("requirements-runtime.lock", texts["requirements-runtime.lock"], runtime)
    whole = pins(texts["requirements.lock"])
    for name, versions in pins(texts["requirements-runtime.lock"]).items():
        if {version for version, _ in versions} != {version for version, _ in whole.get(name, [])}:
            found.append(f"{name} differs between the two locks")
    return found


def main() -> None:
    """Write or check."""
    if sys.argv[1:] == ["write"]:
        sys.exit(any(compile_lock(name, to=HOME / name) for name in LOCKS))
    if sys.argv[1:] != ["check"]:
        sys.exit(__doc__)
    found = check()
    if found:
        sys.exit("\n".join([*found, "Run `make lock` and commit the result."]))
    print("Locks: every dependency pinned and hashed, no address, nothing stale.")


if __name__ == "__main__":
    main()
