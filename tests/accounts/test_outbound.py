"""The outbound client calls public https addresses only, for a limited time and amount."""

import socket
import time
from typing import Any

import httpcore2
import pytest

from idp import outbound
from idp.outbound import Outbound, OutboundFailed, exchange


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1", "224.0.0.1",
     "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
     "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "ff02::1", "192.0.2.1", "2001:db8::1"],
)  # fmt: skip
def test_security_38_private_addresses_are_not_public_however_they_are_written(address: str) -> None:
    assert not outbound.is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
def test_public_addresses_are(address: str) -> None:
    assert outbound.is_public(address)


@pytest.mark.parametrize(
    "url",
    ["http://login.example.org/", "ftp://a.example/", "file:///etc/passwd", "https://user:pw@a.example/",
     "https://a.example/#x", "https:///x", "https://a.example:99999/", "https://a b.example/", "//a.example", "", None,
     ["https://a.example"], "https://a.example/\r\nX: y", "http://127.0.0.1.example/", "http://10.0.0.1/", "x" * 3000],
)  # fmt: skip
def test_security_38_other_addresses_are_not_called_at_all(url: object) -> None:
    assert not Outbound(development=True).allowed(url)


def test_security_38_http_on_this_machine_is_for_development_only() -> None:
    for url in ("http://localhost:9000/x", "http://127.0.0.1:9000/", "http://[::1]/"):
        assert Outbound(development=True).allowed(url)
        assert not Outbound().allowed(url)


@pytest.mark.parametrize("found", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1"], []])
def test_security_38_the_address_is_checked_where_the_connection_is_made(
    monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    def connect(*_: Any, **__: Any) -> Any:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", connect)
    with pytest.raises(OutboundFailed, match="address_not_public"):
        Outbound().get("https://rebinding.example/")


def test_security_38_it_connects_to_the_address_it_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    reached: list[str] = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", port))]

    def connect(self: Any, host: str, port: int, *_: Any, **__: Any) -> Any:
        reached.append(host)
        raise httpcore2.ConnectError("refused")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", connect)
    with pytest.raises(OutboundFailed, match="unreachable"):
        Outbound().get("https://rebinding.example/")
    assert (asked, reached) == (["rebinding.example"], ["8.8.8.8"])


class _Drip(httpcore2.NetworkStream):
    """A server that sends one byte now and then, so that no single wait is long."""

    def __init__(self) -> None:
        self.sent = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self.sent:
            given, self.sent = self.sent, b""
            return given
        time.sleep(min(0.05, timeout or 0.05))
        return b" "

    def write(self, buffer: bytes, timeout: float | None = None) -> None: ...

    def close(self) -> None: ...

    def get_extra_info(self, info: str) -> Any:
        return None


def test_security_38_an_answer_that_drips_is_cut_off_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "SECONDS", 0.5)
    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", lambda *_, **__: _Drip())
    started = time.monotonic()
    with pytest.raises(OutboundFailed, match="too_slow"):
        Outbound(development=True).get("http://127.0.0.1:9/")
    assert time.monotonic() - started < 2.0
