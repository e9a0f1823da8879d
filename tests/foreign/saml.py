"""Starts npm's samlify as an organization's login: a SAML identity provider whose makers never saw this service."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.fakes.upstreams.saml_workshop import MFA, PASSWORD, pair

HERE = Path(__file__).parent
USERS = {
    "fran": {"subject": "fran-7f3a", "mail": "fran@foreign.example", "acr": PASSWORD, "session": "fran-session"},
    "gus": {"subject": "gus-91c2", "mail": "gus@foreign.example", "acr": MFA, "session": "gus-session"},
}


@dataclass(slots=True)
class ForeignSaml:
    """A running provider: its issuer, and a client for the front channel of a `tests.browser.Browser`."""

    issuer: str
    process: "subprocess.Popen[str]"
    site: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        self.site = httpx2.Client(trust_env=False, timeout=10)

    def load(self, our_metadata: str) -> None:
        """Give it our metadata, as its people would."""
        assert self.site.post(f"{self.issuer}/sp", content=our_metadata).status_code == 200

    def mode(self, **more: object) -> None:
        """Say how it answers from now on."""
        assert self.site.post(f"{self.issuer}/mode", json=more).status_code == 200

    def stop(self) -> None:
        """End the process."""
        self.site.close()
        self.process.kill()
        self.process.communicate(timeout=10)


@contextmanager
def running() -> Iterator[ForeignSaml]:
    """Run a provider; `load` gives it our metadata."""
    node = shutil.which("node")
    if node is None:
        from scripts import node_packages

        node = str(node_packages.find_node())
    process = subprocess.Popen(
        [node, str(HERE / "saml_provider.mjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    keys = pair("foreign")
    said = {"key": keys.key, "certificate": keys.bare, "users": USERS}
    process.stdin.write(json.dumps(said))
    process.stdin.close()
    process.stdin = None
    line = process.stdout.readline()
    if not line:
        process.wait(10)
        raise RuntimeError("samlify did not start; `make test` installs it (scripts/test_needs.py)")
    provider = ForeignSaml(json.loads(line)["issuer"], process)
    try:
        yield provider
    finally:
        provider.stop()
