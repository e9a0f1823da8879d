"""Where the demo lies on disk and where it listens."""

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout: the sample apps stand in it, beside the package."""
HOME = ROOT / "var" / "demo"
SETTING = "IDP_DEMO_PORTS"
DEFAULT = (8000, 8001, 8002, 8003)
NAMES = ("Meridian Health Plan", "Evergreen Health", "Claims", "HSConnect")


class DemoRefused(Exception):
    """The demo cannot start; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Places:
    """One demo: its folder, its four ports, and the database of the main service."""

    home: Path
    ports: tuple[int, int, int, int] = DEFAULT
    database_url: str | None = None
    """None means a SQLite file in the folder."""
    workers: int = 1

    @property
    def main(self) -> str:
        """Origin of Meridian's identity service."""
        return _origin(self.ports[0])

    @property
    def affiliate(self) -> str:
        """Origin of Evergreen's identity service."""
        return _origin(self.ports[1])

    @property
    def claims(self) -> str:
        """Origin of the Claims app."""
        return _origin(self.ports[2])

    @property
    def hsconnect(self) -> str:
        """Origin of the HSConnect app."""
        return _origin(self.ports[3])

    @property
    def secrets(self) -> Path:
        """Folder of the applied files and the secrets they name; readable by its owner alone."""
        return self.home / "secrets"

    def secret(self, name: str) -> str:
        """Return one of the demo's own secrets."""
        return (self.secrets / name).read_text(encoding="utf-8").strip()

    def environment(self, name: str) -> dict[str, str]:
        """Return the settings of `meridian` or `evergreen` as environment variables, on top of our own."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("IDP_")}
        number = ("meridian", "evergreen").index(name)
        url = self.database_url if name == "meridian" and self.database_url else f"sqlite:///{self.home / name}.db"
        return kept | {
            "PYTHONPATH": str(ROOT),
            "IDP_ISSUER": _origin(self.ports[number]),
            "IDP_DATABASE_URL": url,
            "IDP_MASTER_KEYS_FILE": str(self.secrets / f"{name}.keys"),
            "IDP_AUDIT_KEY_FILE": str(self.secrets / f"{name}.audit.pem"),
            "IDP_AUDIT_COPY": str(self.home / f"{name}.checkpoints"),
            "IDP_PORT": str(self.ports[number]),
            "IDP_WORKERS": str(self.workers if name == "meridian" else 1),
            "IDP_LOG_LEVEL": "INFO",
            "IDP_DEVELOPMENT": "1",
        }

    def remember(self) -> None:
        """Write down the ports, so that the story finds a running demo."""
        (self.home / "ports.json").write_text(json.dumps(self.ports), encoding="utf-8")


def remembered(home: Path) -> tuple[int, int, int, int] | None:
    """Return the ports a folder was filled for, None when it was not."""
    try:
        found = json.loads((home / "ports.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return four(found) if isinstance(found, list) else None


def four(ports: list[int]) -> tuple[int, int, int, int]:
    """Return four different ports; raise DemoRefused otherwise."""
    if len(ports) != 4 or len(set(ports)) != 4 or not all(1 <= port <= 65535 for port in ports):
        raise DemoRefused(f"Name four different ports, such as --port 8000 or {SETTING}=8000,8001,8002,8003")
    return ports[0], ports[1], ports[2], ports[3]


def chosen(first: int | None = None) -> tuple[int, int, int, int]:
    """Return the four ports from `first` on, else those IDP_DEMO_PORTS names, else the usual four."""
    if first is not None:
        return four([first, first + 1, first + 2, first + 3])
    said = os.environ.get(SETTING)
    if not said:
        return DEFAULT
    try:
        return four([int(part) for part in said.split(",")])
    except ValueError:
        return four([])


def free() -> tuple[int, int, int, int]:
    """Return four ports nobody listens at just now."""
    held = [socket.socket() for _ in range(4)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return four([each.getsockname()[1] for each in held])
    finally:
        for each in held:
            each.close()


def refuse_taken(ports: tuple[int, ...]) -> None:
    """Raise DemoRefused naming every port somebody already listens at, and the setting that changes it."""
    taken = [(name, port) for name, port in zip(NAMES, ports, strict=True) if _listens(port)]
    if taken:
        listed = "\n".join(f"  Port {port} is taken; {name} needs it." for name, port in taken)
        example = ",".join(str(port + 1000) for port in ports)
        raise DemoRefused(
            f"{listed}\n  Stop what listens there, or choose others: `--port {ports[0] + 1000}` (four in a row), or "
            f"{SETTING}={example} (in the order {', '.join(NAMES)})"
        )


def _listens(port: int) -> bool:
    with socket.socket() as trial:
        trial.settimeout(0.5)
        if trial.connect_ex(("127.0.0.1", port)) == 0:
            return True
    with socket.socket() as trial:
        # Without SO_REUSEADDR on Linux a port in TIME_WAIT would look taken.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _origin(port: int) -> str:
    return f"http://localhost:{port}"
