"""How the tests of the connector contract speak each protocol: one file each, and one line here.

`tests/contract/test_every_connector.py` asks every one of them the same questions.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from tests.browser import Browser
from tests.contract.protocols.oidc import Oidc
from tests.contract.protocols.saml import Saml
from tests.sign_in_world import World

CALLBACK = "/login/ups_evergreen/callback"
LIES = (
    "another issuer",
    "another audience",
    "another's key",
    "no signature",
    "an algorithm not in the record",
    "no subject",
    "an empty subject",
    "a subject of 10 kB",
    "a subject with a line break",
    "expired",
    "made before the try began",
    "made tomorrow",
    "made for another try",
)
"""Every protocol's provider can tell these, and none is believed."""
SKEWED = ("a clock 40 s slow", "a clock 40 s fast", "over for 40 s")
"""Within the leeway of 60 s: these are believed."""


class Way(Protocol):
    """One protocol: a provider whose switches it knows, and the way of its answers through a browser."""

    state: str
    """What the answer's field is called that brings our state back."""

    def provider(self) -> Any:
        """A new provider for Evergreen."""

    def tells(self, provider: Any, what: str) -> None:
        """Set the provider's switches for one of LIES or SKEWED, or for an honest answer ("")."""

    def sent_back(self, world: World) -> tuple[Browser, dict[str, str]]:
        """A browser at the provider, and the fields of the answer it would bring."""

    def brought(self, browser: Browser, fields: Mapping[str, str], callback: str = CALLBACK) -> Browser:
        """Bring an answer, as this protocol's answers come."""

    def bound(self, world: World) -> list[str]:
        """The unguessable words of the last request, by which its answer is known."""

    def acr(self, provider: Any, said: str | None) -> None:
        """Let it say how the person signed in: `strong`, `unknown` or nothing."""

    def personal(self, provider: Any) -> None:
        """Let it say a birth date of 1980-01-31, which nobody asked for."""

    def new_key(self, provider: Any, *, published: bool) -> None:
        """Let it sign with a new key, published or not."""

    def refuses(self, provider: Any) -> None:
        """Let it say no."""

    def goodbye(self, world: World, *, forged: bool = False) -> str:
        """What it says when the person's session there has ended."""

    def told(self, world: World, goodbye: str) -> int:
        """Tell us so; the status of our answer."""


PROTOCOLS: dict[str, Way] = {"oidc": Oidc(), "saml": Saml()}
METADATA = {"oidc": "/.well-known/openid-configuration", "saml": "/metadata"}
KEYS = {"oidc": "/jwks", "saml": "/metadata"}
