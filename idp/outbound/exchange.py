"""One exchange with another service: the only place that opens a connection."""

import json
import socket
import ssl
import time
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import httpcore2
import httpx2

from idp.outbound import OutboundFailed, is_local, is_public

SECONDS = 5.0
BYTES = 1_000_000
_OURS = ("address_not_public",)


def exchange(
    method: str,
    url: str,
    fields: dict[str, str] | bytes | None,
    headers: dict[str, str],
    *,
    kinds: Sequence[str],
    transport: httpx2.BaseTransport | None,
    loopback: bool,
) -> tuple[int, bytes]:
    """Send one request and read a document of one of these media types (`+json` is an ending); raise OutboundFailed.

    `transport` replaces the guarded one.
    """
    deadline = time.monotonic() + SECONDS
    used = transport or _Guarded(deadline, loopback=loopback)
    try:
        client = httpx2.Client(transport=used, follow_redirects=False, trust_env=False, timeout=SECONDS)
        raw, form = (fields, None) if isinstance(fields, bytes) else (None, fields)
        with client.stream(method, url, content=raw, data=form, headers=headers) as response:
            return response.status_code, _bytes(response, deadline, kinds)
    except httpx2.TimeoutException:
        raise OutboundFailed("too_slow") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError) as problem:
        reason = problem.args[0] if problem.args and str(problem.args[0]) in _OURS else "unreachable"
        raise OutboundFailed(str(reason)) from problem
    finally:
        if transport is None:
            used.close()


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


def json_object(document: bytes) -> dict[str, Any]:
    """Return the JSON object of a document; raise OutboundFailed."""
    try:
        value = json.loads(document)
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
        if not addresses or not all(is_public(one) or (self._loopback and is_local(one)) for one in addresses):
            raise httpcore2.ConnectError("address_not_public")
        problem: Exception = httpcore2.ConnectError("unreachable")
        for address in addresses:
            try:
                stream = self._plain.connect_tcp(address, port, _left(self._deadline), None, socket_options)
                return _Timed(stream, self._deadline)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                problem = failed
        raise problem


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
