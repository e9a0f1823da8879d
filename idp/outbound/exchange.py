"""One exchange with another service: the only place that opens a connection."""

import atexit
import json
import socket
import ssl
import threading
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
_TIMES = {"connect": SECONDS, "read": SECONDS, "write": SECONDS, "pool": SECONDS}
_KEPT, _KEPT_SECONDS = 8, 3.0
"""Idle connections, and how long: shorter than the other side keeps them, so that it does not close one we use."""
_now = threading.local()
"""The deadline of the exchange this thread is in; a connection outlives its exchange."""


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

    No media types: nothing of the answer is read but its status.

    `transport` replaces the guarded one.
    """
    deadline = _now.deadline = time.monotonic() + SECONDS
    try:
        raw, form = (fields, None) if isinstance(fields, bytes) else (None, fields)
        # No client around it: that would keep cookies, and follow what its environment says.
        request = httpx2.Request(method, url, content=raw, data=form, headers=headers, extensions={"timeout": _TIMES})
        response = (transport or _guarded(loopback=loopback)).handle_request(request)
        try:
            return response.status_code, _bytes(response, deadline, kinds)
        finally:
            response.close()
    except httpx2.TimeoutException:
        raise OutboundFailed("too_slow") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError) as problem:
        reason = problem.args[0] if problem.args and str(problem.args[0]) in _OURS else "unreachable"
        raise OutboundFailed(str(reason)) from problem


def _bytes(response: httpx2.Response, deadline: float, kinds: Sequence[str]) -> bytes:
    if 300 <= response.status_code < 400:
        raise OutboundFailed("redirect")
    if not kinds:
        return b""
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


@cache
def _guarded(*, loopback: bool) -> "_Guarded":
    made = _Guarded(loopback=loopback)
    atexit.register(made.close)
    return made


class _Guarded(httpx2.HTTPTransport):
    """The transport of this process: its connections check the address when they are made and know the deadline.

    One that is idle a moment is kept for the next exchange with the same service: a busy login's costs one
    handshake, not one for each person.
    """

    def __init__(self, *, loopback: bool) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_trusted(),
            max_connections=None,
            max_keepalive_connections=_KEPT,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=_CheckedBackend(loopback=loopback),
        )


class _CheckedBackend(httpcore2.NetworkBackend):
    """Resolves a name once, refuses addresses that are not public, and connects to what it checked."""

    def __init__(self, *, loopback: bool) -> None:
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
                stream = self._plain.connect_tcp(address, port, _left(), None, socket_options)
                return _Timed(stream)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as failed:
                problem = failed
        raise problem


def _left() -> float:
    left: float = _now.deadline - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("too_slow")
    return left


class _Timed(httpcore2.NetworkStream):
    """A stream whose every wait ends at the deadline of the exchange."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, _left()))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
