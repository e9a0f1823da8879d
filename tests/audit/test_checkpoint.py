"""Checkpoints are signed notes that other implementations read (c2sp.org/signed-note, c2sp.org/tlog-checkpoint)."""

import base64
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from freezegun import freeze_time

from idp import clock
from idp.audit import checkpoint
from idp.audit.checkpoint import BadCheckpoint, Checkpoint, key_hash, opened, read, sign
from idp.audit.report import Report
from idp.audit.seal import Sealer
from idp.database import Database
from idp.settings import NotConfigured

# The example of Go's sumdb/note package: a verifier key and a note it signed.
_NAME, _HASH, _KEY = "PeterNeumann", "c74f20a3", "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
_NOTE = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


def test_a_note_signed_by_another_implementation_is_read() -> None:
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(_KEY)[1:])
    assert key_hash(_NAME, public).hex() == _HASH
    assert opened(_NOTE, _NAME, public).startswith("If you think")
    with pytest.raises(BadCheckpoint):
        opened(_NOTE.replace("problem is", "solution is"), _NAME, public)


def test_a_checkpoint_says_what_was_signed_and_nothing_else_passes(key: Ed25519PrivateKey) -> None:
    made = Checkpoint("localhost:8000/log", 20852163, b"\x01" * 32, clock.EPOCH)
    note = sign(made, key)
    assert note.split("\n")[:3] == ["localhost:8000/log", "20852163", base64.b64encode(b"\x01" * 32).decode()]
    assert read(note, made.origin, key.public_key()) == made
    witness = note + "\u2014 witness.example AAAA" + "A" * 88 + "\n"
    assert read(witness, made.origin, key.public_key()) == made  # further signatures may stand beside ours
    for bad in (
        note.replace("20852163", "20852162"),
        note.replace("\u2014", "--"),
        note.replace("1970", "1971"),
        note[:-2],
        note.replace("\n\n", "\n"),
        "",
        sign(Checkpoint("localhost:8000/log", 20852163, b"\x01" * 32, clock.EPOCH), Ed25519PrivateKey.generate()),
        sign(Checkpoint("elsewhere/log", 20852163, b"\x01" * 32, clock.EPOCH), key),
    ):
        with pytest.raises(BadCheckpoint):
            read(bad, made.origin, key.public_key())


def test_the_key_is_for_its_owner_alone_and_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "audit.pem"
    public = checkpoint.make_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert checkpoint.load_key(path).public_key() == public
    assert checkpoint.load_public(path.with_name("audit.pem.pub")) == public
    with pytest.raises(FileExistsError):
        checkpoint.make_key(path)
    path.chmod(0o640)
    with pytest.raises(NotConfigured, match="chmod 600"):
        checkpoint.load_key(path)
    with pytest.raises(NotConfigured, match="IDP_AUDIT_KEY_FILE"):
        checkpoint.load_key(tmp_path / "none.pem")


def test_security_74_an_idle_log_is_signed_anew_each_minute_and_not_before(
    database: Database, sealer: Sealer, write: Callable[..., None], check: Callable[..., Report]
) -> None:
    """Who watches the copies sees each minute that the log still stands, also when nothing is written."""
    now = clock.now()
    with freeze_time(now) as time:
        write()
        first = sealer.seal().checkpoint
        assert first is not None
        time.move_to(now + timedelta(seconds=59))
        assert sealer.seal().checkpoint is None
        time.move_to(now + timedelta(seconds=60))
        again = sealer.seal().checkpoint
        assert again is not None
        assert (again.size, again.root) == (first.size, first.root)
        assert again.at - first.at == timedelta(seconds=60)
        assert Sealer(database).seal().checkpoint is None, "another worker does not sign the same minute again"
        assert check().whole
