"""See that what the tests need is here: PostgreSQL's server, a browser and the foreign providers.

As root on Debian they are installed. Elsewhere one line says what is missing and how to get it; with CI
set in the environment a missing one is a failure, never a quiet gap.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import node_packages

FOREIGN = Path(__file__).resolve().parent.parent / "tests" / "foreign"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def _postgres() -> bool:
    if os.environ.get("IDP_TEST_POSTGRES_URL"):
        return True
    if any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return True
    config = shutil.which("pg_config")
    if config is None:
        return False
    folder = subprocess.run([config, "--bindir"], check=True, capture_output=True, text=True).stdout.strip()
    return (Path(folder) / "initdb").exists()


def _browser() -> bool:
    return any(shutil.which(name) for name in BROWSERS)


NEEDS = {"postgresql": _postgres, "chromium": _browser}


def missing() -> list[str]:
    """Return the Debian packages of what is not here."""
    return [package for package, present in NEEDS.items() if not present()]


def main() -> None:
    """Install what is missing where that is possible; say the rest."""
    node_packages.install(node_packages.find_node(), FOREIGN)
    packages = missing()
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing for the tests: {' '.join(packages)}", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        quiet = {"env": environment, "stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        subprocess.run(["apt-get", "-qq", "update"], check=False, **quiet)
        subprocess.run(["apt-get", "-qq", "install", "--no-install-recommends", "-y", *packages], check=False, **quiet)
        packages = missing()
    if not packages:
        return
    line = f"Missing for the tests: {', '.join(packages)}. Install with: apt-get install {' '.join(packages)}"
    if os.environ.get("CI"):
        sys.exit(line)
    print(f"{line} (the tests that need them say so and are left out)", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
