"""The one HTTP client: https, public addresses, no redirects, 5 s, 1 MB, the media type asked for (security.md 38).

The address is checked where the connection is made, so a name that resolves to something else the second time
gains nothing. The time limit is for the whole exchange: an answer that drips is cut off. In development plain
http on this machine is allowed, and nothing else is loosened.
"""

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from idp.settings import is_loopback

if TYPE_CHECKING:
    import httpx2


_JSON = ("application/json", "+json")


class OutboundFailed(Exception):
    """The other side could not be reached or its answer cannot be used; `reason` is a word for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status and the JSON object."""

    status: int
    body: dict[str, Any]


class Outbound:
    """Fetches JSON, and metadata, from other services. Tests hand it a transport that needs no sockets."""

    def __init__(self, *, development: bool = False, transport: "httpx2.BaseTransport | None" = None) -> None:
        self._development = development
        self._transport = transport

    def allowed(self, url: object, *, signed: bool = False) -> bool:
        """Say whether we would call an address at all: https, or http on this machine in development.

        `signed`: what is fetched there bears its own signature, so that plain http to a public address will do.
        """
        if not isinstance(url, str) or len(url) > 2048 or not url.isascii() or not url.isprintable():
            return False
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError:
            return False
        if not parts.hostname or parts.username is not None or parts.fragment or " " in url:
            return False
        if parts.scheme == "http":
            return signed or (self._development and is_loopback(url))
        return parts.scheme == "https"

    def get(self, url: str) -> Answer:
        """Fetch a JSON object; raise OutboundFailed."""
        return self._exchange("GET", url, None, {})

    def post(self, url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        """Post a form and return the JSON object answered; raise OutboundFailed."""
        return self._exchange("POST", url, dict(fields), dict(headers or {}))

    def post_json(self, url: str, value: Mapping[str, Any]) -> Answer:
        """Post a JSON object and return the one answered; raise OutboundFailed."""
        return self._exchange("POST", url, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def tell(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Post a message and return the status alone, whatever the answer holds; raise OutboundFailed."""
        status, _ = self._call("POST", url, body, dict(headers), ())
        return status

    def fetch(self, url: str, kinds: Sequence[str], *, signed: bool = False) -> tuple[int, bytes]:
        """Fetch a document of one of these media types, under the same limits; raise OutboundFailed.

        `signed`: as `allowed` says; the caller verifies that signature before it believes a byte.
        """
        return self._call("GET", url, None, {"Accept": ", ".join(kinds)}, kinds, signed=signed)

    def _exchange(
        self, method: str, url: str, fields: dict[str, str] | bytes | None, headers: dict[str, str]
    ) -> Answer:
        status, document = self._call(method, url, fields, {**headers, "Accept": "application/json"}, _JSON)
        from idp.outbound.exchange import json_object

        return Answer(status, json_object(document))

    def _call(
        self,
        method: str,
        url: str,
        fields: dict[str, str] | bytes | None,
        headers: dict[str, str],
        kinds: Sequence[str],
        *,
        signed: bool = False,
    ) -> tuple[int, bytes]:
        if not self.allowed(url, signed=signed):
            raise OutboundFailed("address_not_allowed")
        # The HTTP library comes with the first call: most workers answer long before they ask anybody.
        from idp.outbound.exchange import exchange

        headers = {**headers, "Accept-Encoding": "identity", "User-Agent": "idp"}
        return exchange(
            method, url, fields, headers, kinds=kinds, transport=self._transport, loopback=self._development
        )


def is_public(address: str) -> bool:
    """Say whether an address is one of the public internet, also when IPv4 is wrapped in IPv6."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def is_local(address: str) -> bool:
    """Say whether an address is this machine itself."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
