"""A connection to another service is kept a moment, and an exchange's limits hold on it as on a new one."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from idp.outbound import Outbound, OutboundFailed, exchange

BODY = b'{"cookie": "%s"}'


class Server:
    """Answers JSON on this machine; counts connections, and closes or drips where it is told to."""

    def __init__(self) -> None:
        self.connections = 0
        self.closes = self.drips = False
        self.heard: list[bytes] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with closing(connection), contextlib.suppress(OSError):  # it hangs up while we drip
            while asked := connection.recv(65536):
                self.heard.append(asked)
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: a=b\r\n"
                connection.sendall(head + b"Content-Length: 13\r\n\r\n")
                for byte in b'{"good": true}'[:13].ljust(13) if self.drips else ():
                    connection.sendall(bytes([byte]))
                    time.sleep(0.05)
                if not self.drips:
                    connection.sendall(b'{"good": 123}')
                if self.closes:
                    return

    def close(self) -> None:
        self._listening.close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    exchange._guarded(loopback=True).close()
    made.close()


def test_performance_one_connection_serves_many_exchanges_and_keeps_no_cookie(server: Server) -> None:
    outbound = Outbound(development=True)
    for _ in range(3):
        assert outbound.post(server.url, {"a": "b"}).body == {"good": 123}
    assert server.connections == 1
    assert not any(b"cookie" in asked.lower() for asked in server.heard)


def test_a_connection_the_other_side_closed_is_not_used_again(server: Server) -> None:
    outbound = Outbound(development=True)
    server.closes = True
    for n in range(1, 4):
        assert outbound.get(server.url).body == {"good": 123}
        assert server.connections == n
        time.sleep(0.02)


def test_security_38_the_deadline_is_each_exchanges_own(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    outbound = Outbound(development=True)
    monkeypatch.setattr(exchange, "SECONDS", 0.3)
    assert outbound.get(server.url).status == 200
    time.sleep(0.35)  # the first one's time is over, the second has its own
    assert outbound.get(server.url).status == 200
    server.drips = True
    with pytest.raises(OutboundFailed, match="too_slow"):
        outbound.get(server.url)
    server.drips = False
    assert outbound.get(server.url).status == 200
    assert server.connections == 2, "one that was given up is not used again"


def test_security_38_a_kept_connection_of_development_serves_nobody_else(server: Server) -> None:
    assert Outbound(development=True).get(server.url).status == 200
    with pytest.raises(OutboundFailed, match="address_not_allowed"):
        Outbound().get(server.url)
