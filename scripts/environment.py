"""Make .venv from requirements.lock and install the project in it; needs Python 3.11 and nothing else.

Runs again only when the lock or pyproject.toml changed (the Makefile compares with `.venv/.ready`).
Standard library only: this is what runs before anything is installed.
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
VENV = HOME / ".venv"
READY = VENV / ".ready"
LOCK = HOME / "requirements.lock"


def main() -> None:
    """Create the environment, install the locked packages with their hashes, then the project itself."""
    if sys.version_info < (3, 11):
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    stamp = hashlib.sha256(LOCK.read_bytes() + (HOME / "pyproject.toml").read_bytes()).hexdigest()
    if READY.exists() and READY.read_text() == stamp:
        READY.touch()
        return
    python = VENV / "bin" / "python"
    if not python.exists():
        print("Creating .venv", flush=True)
        try:
            venv.EnvBuilder(with_pip=True, symlinks=True, clear=VENV.exists()).create(VENV)
        except (OSError, subprocess.CalledProcessError) as problem:
            sys.exit(f"The environment could not be made ({problem}). On Debian: apt-get install python3-venv")
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    print("Installing the packages of requirements.lock (a minute or so the first time)", flush=True)
    _run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(LOCK)])
    _run([*pip, "--no-deps", "--no-build-isolation", "--no-index", "--editable", str(HOME)])
    # Compiled once here, also where the environment says not to write bytecode: it is half of every start.
    compiled = [str(python), "-m", "compileall", "-q", str(VENV / "lib"), str(HOME / "idp"), str(HOME / "migrations")]
    subprocess.run(compiled, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    READY.write_text(stamp)


def _run(command: list[str]) -> None:
    if subprocess.run(command, cwd=HOME, check=False, stdin=subprocess.DEVNULL).returncode:
        sys.exit("Installing failed; the lines above say why. Nothing outside .venv was changed.")


if __name__ == "__main__":
    main()
