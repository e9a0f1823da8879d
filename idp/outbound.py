"""The one HTTP client: https, public addresses, no redirects, 5 seconds, 1 MB, JSON only (security.md 38).

The address is checked where the connection is made, so a name that resolves to something else the second time
gains nothing. The time limit is for the whole exchange: an answer that drips is cut off. In development plain
http on this machine is allowed, and nothing else is loosened.
"""

import ipaddress
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpcore2
import httpx2

from idp.settings import is_loopback

Read = TypeVar("Read")
SECONDS = 5.0
BYTES = 1_000_000


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
    """Fetches JSON and metadata from other services. Tests hand it a transport that needs no sockets."""

    def __init__(self, *, development: bool = False, transport: httpx2.BaseTransport | None = None) -> None:
        self._development = development
        self._transport = transport

    def allowed(self, url: object) -> bool:
        """Say whether we would call an address at all: https, or http on this machine in development."""
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
            return self._development and is_loopback(url)
        return parts.scheme == "https"

    def get(self, url: str) -> Answer:
        """Fetch a JSON object; raise OutboundFailed."""
        return self._exchange("GET", url, None, {})

    def post(self, url: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        """Post a form and return the JSON object answered; raise OutboundFailed."""
        return self._exchange("POST", url, dict(fields), dict(headers or {}))

    def fetch(self, url: str, kinds: Sequence[str]) -> tuple[int, bytes]:
        """Fetch a document of one of these media types as bytes, under the same limits; raise OutboundFailed."""
        return self._call(
            "GET", url, None, {"Accept": ", ".join(kinds)}, lambda response, deadline: _bytes(response, deadline, kinds)
        )

    def _exchange(self, method: str, url: str, fields: dict[str, str] | None, headers: dict[str, str]) -> Answer:
        status, body = self._call(method, url, fields, {"Accept": "application/json"} | headers, _object)
        return Answer(status, body)

    def _call(
        self,
        method: str,
        url: str,
        fields: dict[str, str] | None,
        headers: dict[str, str],
        read: Callable[[httpx2.Response, float], Read],
    ) -> tuple[int, Read]:
        if not self.allowed(url):
            raise OutboundFailed("address_not_allowed")
        deadline = time.monotonic() + SECONDS
        headers |= {"Accept-Encoding": "identity", "User-Agent": "idp"}
        transport = self._transport or _Guarded(deadline, loopback=self._development)
        try:
            client = httpx2.Client(transport=transport, follow_redirects=False, trust_env=False, timeout=SECONDS)
            with client.stream(method, url, data=fields, headers=headers) as response:
                return response.status_code, read(response, deadline)
        except httpx2.TimeoutException:
            raise OutboundFailed("too_slow") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError) as problem:
            reason = problem.args[0] if problem.args and str(problem.args[0]) in _OURS else "unreachable"
            raise OutboundFailed(str(reason)) from problem
        finally:
            if self._transport is None:
                transport.close()


_OURS = ("address_not_public",)


def _bytes(response: httpx2.Response, deadline: float, kinds: Sequence[str]) -> bytes:
    if 300 <= response.status_code < 400:
        raise OutboundFailed("redirect")
    kind = response.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in kinds and not any(one.startswith("+") and kind.endswith(one) for one in kinds):
        raise OutboundFailed("wrong_media_type")
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise OutboundFailed("compressed")
    collected = bytearray()
    for chunk in response.iter_raw():
        collected += chunk
        if len(collected) > BYTES:
            raise OutboundFailed("too_large")
        if time.monotonic() > deadline:
            raise OutboundFailed("too_slow")
    return bytes(collected)


def _object(response: httpx2.Response, deadline: float) -> dict[str, Any]:
    try:
        value = json.loads(_bytes(response, deadline, ("application/json", "+json")))
    except (ValueError, RecursionError):
        raise OutboundFailed("not_json") from None
    if not isinstance(value, dict):
        raise OutboundFailed("not_an_object")
    return value


@cache
def _trusted() -> ssl.SSLContext:
    return httpx2.create_ssl_context()


class _Guarded(httpx2.HTTPTransport):
    """A transport for one exchange, whose connections check the address and know the deadline."""

    def __init__(self, deadline: float, *, loopback: bool) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_trusted(),
            max_keepalive_connections=0,
            network_backend=_CheckedBackend(deadline, loopback=loopback),
        )


class _CheckedBackend(httpcore2.NetworkBackend):
    """Resolves a name once, refuses addresses that are not public, and connects to what it checked."""

    def __init__(self, deadline: float, *, loopback: bool) -> None:
        self._deadline = deadline
        self._loopback = loopback
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError:
            raise httpcore2.ConnectError("name_unknown") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not addresses or not all(is_public(one) or (self._loopback and _is_local(one)) for one in addresses):
            raise httpcore2.ConnectError("address_not_public")
        problem: Exception = httpcore2.ConnectError("unreachable")
        for address in addresses:
            try:
                stream = self._plain.connect_tcp(address, port, _left(self._deadline), None, socket_options)
                return _Timed(stream, self._deadline)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                problem = failed
        raise problem


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


def _is_local(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("too_slow")
    return left


class _Timed(httpcore2.NetworkStream):
    """A stream whose every wait ends at the deadline of the exchange."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline)), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
