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
from sqlalchemy import TextClause, text
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
_WRITTEN = "SELECT seq, leaf FROM audit_record WHERE at BETWEEN :first AND :last {of}ORDER BY seq"
_OF_ANYBODY = text(_WRITTEN.format(of=""))
_OF_PROVIDER = text(_WRITTEN.format(of="AND provider_id = :named "))
_OF_PERSON = text(_WRITTEN.format(of="AND account_id = :named "))
_GIVES_OR_TAKES = ("entitlements.", "wam.", "providers.affiliation.", "leaving.", "accounts.account.")
"""Events of a transaction of everything (an applied file) that a receipt is made of."""


def want(session: Session, provider_id: str, keep: Callable[[dict[str, Any]], object]) -> None:
    """Promise what this transaction records of a provider from here on; `keep` hears it just before the commit."""
    _want(session, lambda event: event.provider == provider_id, _OF_PROVIDER.bindparams(named=provider_id), keep)


def want_of_person(session: Session, account_id: str, keep: Callable[[dict[str, Any]], object]) -> None:
    """Promise what this transaction records of a person from here on, wherever; `keep` hears it before the commit."""
    _want(session, lambda event: event.account == account_id, _OF_PERSON.bindparams(named=account_id), keep)


def want_named(session: Session, name: str, keep: Callable[[dict[str, Any]], object]) -> None:
    """Promise the records of this transaction whose event has this name, and no others; `keep` hears it."""
    _want(session, lambda event: event.name == name, _OF_ANYBODY, keep)


def want_of_access(session: Session, keep: Callable[[dict[str, Any]], object]) -> None:
    """Promise every record of access given or taken in this transaction; `keep` hears it before the commit."""
    _want(session, lambda event: event.name.startswith(_GIVES_OR_TAKES), _OF_ANYBODY, keep)


def _want(
    session: Session,
    wanted: Callable[[Event], bool],
    written: TextClause,
    keep: Callable[[dict[str, Any]], object],
) -> None:
    made: list[tuple[Any, bytes]] = []

    def heard(event: Event, row: tuple[object, ...]) -> None:
        if wanted(event):
            made.append((row[_AT], bytes(row[_LEAF])))  # type: ignore[call-overload]

    log.listen(session, heard)
    before_commit(session, _LATE, f"promise of {id(made)}", partial(_promise, made, written, keep))


def _promise(
    made: list[tuple[Any, bytes]],
    written: TextClause,
    keep: Callable[[dict[str, Any]], object],
    session: Session,
) -> None:
    """Sign what is there: a savepoint may have taken back some of what was recorded."""
    if not made:
        return
    moments = [at for at, _ in made]
    leaves = {stored for _, stored in made}
    found = session.execute(written, {"first": min(moments), "last": max(moments)}).all()
    rows = [(int(seq), leaf.raw(stored)) for seq, stored in found]
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
