"""Starts npm's oidc-provider as an organization's login: a provider whose makers never saw this service.

`running()` is the whole of it: a process on loopback that knows the clients and people it is given. `FRAN` and
`GUS` are two people of it, `CLIENT` is how it knows this service as the upstream `ups_foreign`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.engines import ISSUER
from tests.foreign.scripts import running_script

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
    end: Callable[[], None]
    """End the provider at once."""
    site: httpx2.Client = field(init=False)

    def __post_init__(self) -> None:
        self.site = httpx2.Client(trust_env=False, timeout=10)

    def close(self) -> None:
        """Close the front channel's client."""
        self.site.close()


@contextmanager
def running(
    clients: Sequence[dict[str, Any]] = (CLIENT,), users: dict[str, dict[str, Any]] | None = None, **more: object
) -> Iterator[ForeignProvider]:
    """Run a provider for these clients and people; `more` is `port`, `keys`, `acr` or `options` of the script."""
    told = {"clients": list(clients), "users": users or USERS, **more}
    with (
        running_script("openid_provider.mjs", told) as (issuer, end),
        closing(ForeignProvider(issuer, end)) as provider,
    ):
        yield provider
