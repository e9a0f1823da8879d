"""Checkpoints and records go to a syslog collector over TLS, in its frames, and to nobody else (RFC 5424, RFC 5425)."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from idp import clock
from idp.audit import copies, export
from idp.audit.collector import Collector
from idp.audit.forms import FORMS
from idp.audit.seal import Sealer
from idp.audit.search import Filters
from idp.cli import keeping
from idp.cli.app import app
from idp.database import Database
from idp.settings import Settings
from tests.audit.test_forms import SYSLOG

ONLY_ONE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # no statement of its own


def _certificate(home: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = clock.now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = home / "collector.pem"
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + pem)
    return path


class Listening:
    """A collector of its own on loopback: takes frames apart by their lengths."""

    def __init__(self, certificate: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server = socket.create_server(("localhost", 0))
        self.port = self._server.getsockname()[1]
        self._context = context
        self.heard: list[str] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                plain, _ = self._server.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(plain, server_side=True) as taken, taken.makefile("rb") as stream:
                    while length := self._length(stream.read):
                        self.heard.append(stream.read(length).decode())
                    taken.unwrap()
            except (OSError, ssl.SSLError):
                continue

    @staticmethod
    def _length(read: Callable[[int], bytes]) -> int:
        digits = b""
        while (one := read(1)) not in (b"", b" "):
            digits += one
        return int(digits or b"0")

    def all(self, count: int) -> list[str]:
        """Return what was heard once so many came."""
        for _ in range(400):
            if len(self.heard) >= count:
                break
            threading.Event().wait(0.01)
        return self.heard

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Listening]:
    made = Listening(_certificate(tmp_path))
    yield made
    made.close()


@pytest.fixture
def settings(settings: Settings, listening: Listening, tmp_path: Path) -> Settings:
    more = {"audit_syslog": f"localhost:{listening.port}", "audit_syslog_ca": tmp_path / "collector.pem"}
    return settings.model_copy(update=more)


@ONLY_ONE
def test_security_74_every_checkpoint_reaches_the_collector_as_it_was_signed(
    database: Database, write: Callable[..., None], listening: Listening
) -> None:
    sealer = Sealer(database)
    for _ in range(2):
        write(3)
        sealer.seal()
    heard = listening.all(2)
    assert sealer._collector is not None
    sealer._collector.close()
    assert len(heard) == 2
    copy = database.settings.audit_copy
    assert copy is not None
    for message, (number, note) in zip(heard, copies.notes(copy), strict=True):
        found = SYSLOG.fullmatch(message)
        assert found is not None, message
        assert f'checkpoint="{number}"' in found["data"]
        root, signature = note.split("\n")[2], note.split(" ")[-1].strip()
        assert root in found["data"]
        assert signature in found["data"]


@ONLY_ONE
def test_security_77_records_are_sent_one_frame_each(
    database: Database, write: Callable[..., None], listening: Listening
) -> None:
    write(40)
    collector = Collector(database.settings)
    assert collector.send(export.lines(database, Filters(), FORMS["syslog"])) == 40
    collector.close()
    heard = listening.all(40)
    assert len(heard) == 40
    assert all(SYSLOG.fullmatch(message) for message in heard)


@ONLY_ONE
def test_a_collector_that_is_not_there_or_not_itself_holds_nothing_up_and_hears_nothing(
    database: Database, write: Callable[..., None], listening: Listening
) -> None:
    stranger = database.settings.model_copy(update={"audit_syslog_ca": None})
    with pytest.raises(OSError, match="certificate verify failed"):
        Collector(stranger).send((b"secret",))
    assert listening.heard == []
    gone = Collector(database.settings.model_copy(update={"audit_syslog": "localhost:9"}))
    assert not gone.told("o", 1, "note")
    sealer = Sealer(database)
    sealer._collector = gone
    write(2)
    assert sealer.seal().records == 2


@pytest.mark.parametrize("where", ["logs.example.org", "logs:0", "logs:x", ":6514", "logs:99999"])
@ONLY_ONE
def test_where_the_collector_is_must_be_a_host_and_a_port(settings: Settings, where: str) -> None:
    from pydantic import ValidationError

    with pytest.raises(ValidationError, match="host:port"):
        Settings(**{**settings.model_dump(), "audit_syslog": where})


@ONLY_ONE
def test_security_77_the_command_sends_what_is_asked_for_and_leaves_a_record_of_it(
    database: Database, write: Callable[..., None], listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(3)
    monkeypatch.setattr(keeping, "opened", lambda: nullcontext(database))
    done = CliRunner().invoke(app, ["audit", "send", "--since", "2020-01-01T00:00Z"])
    assert (done.exit_code, "4 records were sent" in done.output) == (0, True), done.output
    assert "audit.log.exported" in listening.all(4)[-1]
    assert CliRunner().invoke(app, ["audit", "send", "--since", "yesterday"]).exit_code != 0
