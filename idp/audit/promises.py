"""Signed receipts: what a transaction records is promised to stand in the log, before it is sealed.

The promise is made of the record's own bytes while they are in this process's memory, with the log's key, which
the database does not hold. Whoever takes a record away before it is sealed leaves no trace in the tree; the
receipt in the manager's hands says that it was there. As a signed certificate timestamp (RFC 6962 3.2) it is a
promise and no proof: `receipts.py` compares it with an export or an inclusion proof.

    idp-log-receipt/1                    never the first line of a checkpoint
    login.example.org/log                origin: which log
    2026-11-22T09:58:10.118Z             when it was promised
    2026-11-22T10:03:10.118Z             from then on it stands in the log
    CsUYapGGPo4dkMgIAUqom/Xajj7h2f...=   leaf hash (RFC 6962 2.1), one line a record

    — login.example.org/log Az3grl...=
"""

import base64
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlmodel import Session

from idp import clock
from idp.audit import checkpoint, leaf, log
from idp.audit.events import Event
from idp.audit.merkle import leaf_hash
from idp.audit.receipts import RECEIPT
from idp.database import before_commit, of

DUE = timedelta(minutes=5)
"""From the promise to the moment from which it can be called broken; sealing takes a quarter of a second."""
_LATE = 10
"""After the rows that a transaction gathers (idp/database/gathering.py): what was not written is not promised."""
_AT, _LEAF = leaf.COLUMNS.index("at"), leaf.COLUMNS.index("leaf")
_WRITTEN = text(
    "SELECT seq, leaf FROM audit_record WHERE at BETWEEN :first AND :last AND provider_id = :provider ORDER BY seq"
)


def want(session: Session, provider_id: str, keep: Callable[[dict[str, Any]], object]) -> None:
    """Promise what this transaction records of a provider from here on; `keep` hears it just before the commit."""
    made: list[tuple[Any, bytes]] = []

    def heard(event: Event, row: tuple[object, ...]) -> None:
        if event.provider == provider_id:
            made.append((row[_AT], bytes(row[_LEAF])))  # type: ignore[call-overload]

    log.listen(session, heard)
    before_commit(session, _LATE, f"promise of {id(made)}", partial(_promise, made, provider_id, keep))


def _promise(
    made: list[tuple[Any, bytes]], provider_id: str, keep: Callable[[dict[str, Any]], object], session: Session
) -> None:
    """Sign what is there: a savepoint may have taken back some of what was recorded."""
    if not made:
        return
    moments = [at for at, _ in made]
    leaves = {stored for _, stored in made}
    asked = {"first": min(moments), "last": max(moments), "provider": provider_id}
    rows = [(int(seq), leaf.raw(stored)) for seq, stored in session.execute(_WRITTEN, asked).all()]
    rows = [(seq, stored) for seq, stored in rows if stored in leaves]
    if rows:
        keep(_signed(session, rows))
        session.flush()


def _signed(session: Session, rows: list[tuple[int, bytes]]) -> dict[str, Any]:
    settings = of(session).settings
    name, now = checkpoint.origin_of(settings), clock.now()
    hashes = [base64.b64encode(leaf_hash(stored)).decode() for _, stored in rows]
    said = "\n".join((RECEIPT, name, clock.iso(now), clock.iso(now + DUE), *hashes)) + "\n"
    records = [
        {"number": seq, "hash": digest, "leaf": stored.decode()}
        for (seq, stored), digest in zip(rows, hashes, strict=True)
    ]
    checkpoint.ensure_key(settings)
    return {"format": RECEIPT, "note": checkpoint.signed(said, name, _key(settings.audit_key_file)), "records": records}


@lru_cache(maxsize=4)
def _key(path: Path) -> Ed25519PrivateKey:
    """Read the key once: it never changes while the service runs."""
    return checkpoint.load_key(path)
