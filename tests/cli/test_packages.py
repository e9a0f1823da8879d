"""The traps of the package set: what must be there, what must never be there beside it (stack.md 1, 2, 5, 7)."""

import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-runtime.lock")


installed = cache(packages_distributions)


def test_passlib_comes_from_libpass_alone() -> None:
    assert installed()["passlib"] == ["libpass"]


def test_casbin_comes_from_pycasbin_alone() -> None:
    assert installed()["casbin"] == ["pycasbin"]


@pytest.mark.parametrize("name", ["passlib", "casbin", "httpx", "respx", "casbin-sqlalchemy-adapter"])
def test_what_would_overwrite_or_warn_is_neither_installed_nor_locked(name: str) -> None:
    with pytest.raises(PackageNotFoundError):
        distribution(name)
    for lock in LOCKS:
        assert not re.search(rf"^{name}==", (HOME / lock).read_text(), re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_hashes_and_no_address(lock: str) -> None:
    text = (HOME / lock).read_text()
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries)


def test_security_85_the_locks_are_what_pyproject_says() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/locks.py", "check"], cwd=HOME, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_security_85_the_floors_of_known_faults_are_met() -> None:
    from packaging.version import Version

    floors = {"authlib": "1.9.1", "starlette": "1.3.1", "python-multipart": "0.0.27", "python-jose": "3.5.0"}
    for name, floor in floors.items():
        assert Version(distribution(name).version) >= Version(floor), name


def test_the_image_never_runs_as_root_and_holds_runtime_packages_only() -> None:
    lines = (HOME / "Dockerfile").read_text().splitlines()
    last = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM")) :]
    assert any(re.match(r"USER \d+:\d+$", line) for line in last)
    assert any(line.startswith("HEALTHCHECK") for line in last)
    assert not any("requirements.lock" in line for line in lines)
    assert not re.search(r"^pytest==", (HOME / "requirements-runtime.lock").read_text(), re.MULTILINE)


def test_what_the_image_copies_is_in_the_repository_and_is_let_through() -> None:
    """No container engine stands here: each COPY is held to what git has and to what `.dockerignore` lets in."""
    git = shutil.which("git")
    assert git is not None
    tracked = subprocess.run(
        [git, "ls-files"], cwd=HOME, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    ignored = (HOME / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert ignored[0] == "*"
    copied = [line.split()[1:-1] for line in (HOME / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")]
    sources = [one for words in copied if not words[0].startswith("--from") for one in words]
    assert len(sources) > 8
    for one in sources:
        assert any(file == one or file.startswith(f"{one}/") for file in tracked), one
        assert one.split("/")[0] in allowed, one
    from_stages = [words[1] for words in copied if words[0].startswith("--from")]
    assert from_stages == ["/venv", "/build/idp/web/static/built"]
    assert "static/built" in (HOME / "scripts" / "assets.py").read_text().replace('" / "', "/")
