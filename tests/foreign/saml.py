"""Starts npm's samlify as an organization's login: a SAML identity provider whose makers never saw this service."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.fakes.upstreams.saml_workshop import MFA, PASSWORD, pair
from tests.foreign.scripts import running_script

HERE = Path(__file__).parent
USERS = {
    "fran": {"subject": "fran-7f3a", "mail": "fran@foreign.example", "acr": PASSWORD, "session": "fran-session"},
    "gus": {"subject": "gus-91c2", "mail": "gus@foreign.example", "acr": MFA, "session": "gus-session"},
}


@dataclass(slots=True)
class ForeignSaml:
    """A running provider: its issuer, and a client for the front channel of a `tests.browser.Browser`."""

    issuer: str
    site: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        self.site = httpx2.Client(trust_env=False, timeout=10)

    def load(self, our_metadata: str) -> None:
        """Give it our metadata, as its people would."""
        assert self.site.post(f"{self.issuer}/sp", content=our_metadata).status_code == 200

    def mode(self, **more: object) -> None:
        """Say how it answers from now on."""
        assert self.site.post(f"{self.issuer}/mode", json=more).status_code == 200

    def close(self) -> None:
        """Close the front channel's client."""
        self.site.close()


@contextmanager
def running() -> Iterator[ForeignSaml]:
    """Run a provider; `load` gives it our metadata."""
    keys = pair("foreign")
    told = {"key": keys.key, "certificate": keys.bare, "users": USERS}
    with running_script("saml_provider.mjs", told) as (issuer, _), closing(ForeignSaml(issuer)) as provider:
        yield provider
