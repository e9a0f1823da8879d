"""Starts npm's oidc-provider as an organization's login: a provider whose makers never saw this service.

`running()` is the whole of it: a process on loopback that knows the clients and people it is given. `FRAN` and
`GUS` are two people of it, `CLIENT` is how it knows this service as the upstream `ups_foreign`.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.engines import ISSUER

HERE = Path(__file__).parent
SECRET = "a secret of forty characters or even more"
CLIENT: dict[str, Any] = {
    "client_id": "meridian",
    "client_secret": SECRET,
    "redirect_uris": [f"{ISSUER}/login/ups_foreign/callback"],
    "response_types": ["code"],
    "grant_types": ["authorization_code"],
    "id_token_signed_response_alg": "ES256",
    "token_endpoint_auth_method": "client_secret_basic",
}
FRAN = {"password": "fran's own words", "claims": {"name": "Fran Oduya", "email": "fran@foreign.example"}}
GUS = {"password": "gus's own words", "acr": "strong", "amr": ["pwd", "otp"], "claims": {"name": "Gus Lind"}}
USERS: dict[str, dict[str, Any]] = {"fran": FRAN, "gus": GUS}


@dataclass(slots=True)
class ForeignProvider:
    """A running provider: its issuer, and a client for the front channel of a `tests.browser.Browser`."""

    issuer: str
    process: "subprocess.Popen[str]"
    site: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        self.site = httpx2.Client(trust_env=False, timeout=10)

    def stop(self) -> None:
        """End the process."""
        self.site.close()
        self.process.kill()
        self.process.communicate(timeout=10)


@contextmanager
def running(
    clients: Sequence[dict[str, Any]] = (CLIENT,), users: dict[str, dict[str, Any]] | None = None, **more: object
) -> Iterator[ForeignProvider]:
    """Run a provider for these clients and people; `more` is `port`, `keys`, `acr` or `options` of the script."""
    node = shutil.which("node")
    if node is None:
        from scripts import node_packages

        node = str(node_packages.find_node())
    process = subprocess.Popen(
        [node, str(HERE / "openid_provider.mjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps({"clients": list(clients), "users": users or USERS, **more}))
    process.stdin.close()
    process.stdin = None
    line = process.stdout.readline()
    if not line:
        process.wait(10)
        raise RuntimeError("oidc-provider did not start; `make test` installs it (scripts/test_needs.py)")
    provider = ForeignProvider(json.loads(line)["issuer"], process)
    try:
        yield provider
    finally:
        provider.stop()
