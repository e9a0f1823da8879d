"""Send to a syslog collector over TLS (RFC 5425): checkpoints as they are signed, and records when somebody exports.

The collector's certificate is checked against the given authority and the host's name. A collector that does not
answer never holds up sealing: it is left alone for half a minute, and the next checkpoint says all it missed.
"""

import contextlib
import socket
import ssl
from collections.abc import Iterable
from time import monotonic

import structlog

from idp import clock
from idp.audit.forms import syslog
from idp.settings import NotConfigured, Settings

PORT = 6514
_SECONDS = 2.0
_LEFT_ALONE = 30.0
_log = structlog.get_logger("idp.audit")


class Collector:
    """One connection, made when it is needed and again when it broke."""

    def __init__(self, settings: Settings) -> None:
        """Read where to send; raise NotConfigured for an authority's file that can't be read."""
        host, _, port = (settings.audit_syslog or "").rpartition(":")
        self._host = host.strip("[]")
        self._port = int(port)
        try:
            self._tls = ssl.create_default_context(cafile=settings.audit_syslog_ca)
        except (OSError, ssl.SSLError) as problem:
            raise NotConfigured(f"IDP_AUDIT_SYSLOG_CA: {problem}") from None
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._open: ssl.SSLSocket | None = None
        self._not_before = 0.0

    def close(self) -> None:
        """End the connection, and wait until the other side read everything: a plain close may take the rest back."""
        if self._open is not None:
            with contextlib.suppress(OSError, ValueError):
                self._open.unwrap()
            self._open.close()
            self._open = None

    def send(self, messages: Iterable[bytes]) -> int:
        """Send messages in their frames; return how many. Raises OSError when the collector is not there."""
        count = 0
        try:
            for message in messages:
                self._connected().sendall(syslog.framed(message))
                count += 1
        except OSError:
            self.close()
            raise
        return count

    def told(self, origin: str, number: int, note: str) -> bool:
        """Send a checkpoint's note, once more over a new connection where the old one broke; say whether it went."""
        if monotonic() < self._not_before:
            return False
        message = syslog.note(origin, clock.iso(clock.now()), number, note)
        for again in (True, False):
            fresh = self._open is None
            try:
                self.send((message,))
            except OSError as problem:
                if again and not fresh:
                    continue
                self._not_before = monotonic() + _LEFT_ALONE
                _log.warning("collector_not_there", cause=type(problem).__name__)
                return False
            return True
        return False

    def _connected(self) -> ssl.SSLSocket:
        if self._open is None:
            plain = socket.create_connection((self._host, self._port), _SECONDS)
            try:
                self._open = self._tls.wrap_socket(plain, server_hostname=self._host)
            except OSError:
                plain.close()
                raise
        return self._open
