"""A key mailed on paper to the address on file, and a number read out when the insurer calls back (W-1)."""

import json
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration, entropy
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import Conflict, NotEntitled, NotFound, TooMany
from idp.notices import outbox
from idp.providers.registry_tables import ProviderLocation
from idp.registration import first_manager, practices
from idp.registration.tables import Application, FirstManagerClaim, ProofKey

AGAIN = timedelta(days=7)
"""How soon another letter can be asked for: the post takes days, and each letter costs the practice's trust."""
CALLS_A_DAY = 5
_LENGTH = {"mailed_key": 16, "call_back": 6}


@dataclass(frozen=True, slots=True)
class Letter:
    """What is printed, once."""

    practice: str
    address: tuple[str, ...]
    key: str
    until: str


def ask_letter(db: Db, claim_id: str, *, account_id: str) -> None:
    """Have a key mailed to the practice's address on file. Whether there is one, nobody is told.

    Raises NotFound for another person's claim, Conflict for one that is not open, TooMany within a week of the last.
    """
    claim = _open(db, claim_id, account_id)
    waiting = _live(db, claim.id, "mailed_key")
    if waiting is not None and waiting.created_at > clock.now() - AGAIN:
        raise TooMany("A letter was asked for within the last 7 days. Wait for it.", retry_after=86_400)
    key = entropy.digits(_LENGTH["mailed_key"])
    lasts = configuration.current(db).clocks.first_manager_key
    made = _make(db, claim, "mailed_key", key, lasts)
    application = db.get(Application, claim.application_id)
    if application is not None:  # whether or not there is an address: the application waits as long as a letter would
        application.expires_at = max(application.expires_at, made.expires_at)
        db.add(application)
    found = _address(db, claim)
    if found is not None:
        practice, address = found
        told = {"practice": practice, "address": address, "key": key, "until": clock.iso(made.expires_at)}
        made.letter = of(db).ring.seal("tin", f"proof_key.letter:{made.id}", json.dumps(told).encode())
    db.add(made)
    db.flush()
    _log(db, "registration.claim.asked", claim, way="letter", there=found is not None)


def ask_call(db: Db, claim_id: str, *, account_id: str) -> str:
    """Ask to be called back; return the number to read out then, shown only now.

    Raises NotFound, Conflict as `ask_letter` does, TooMany past five in a day.
    """
    claim = _open(db, claim_id, account_id)
    since = clock.now() - timedelta(days=1)
    asked = select(ProofKey.id).where(
        col(ProofKey.claim_id) == claim.id, col(ProofKey.kind) == "call_back", col(ProofKey.created_at) > since
    )
    if len(db.exec(asked).all()) >= CALLS_A_DAY:
        raise TooMany("You asked for five calls today. Try again tomorrow.", retry_after=86_400)
    code = entropy.digits(_LENGTH["call_back"])
    db.add(_make(db, claim, "call_back", code, configuration.current(db).clocks.first_manager_call))
    db.flush()
    _log(db, "registration.claim.asked", claim, way="call")
    application = db.get(Application, claim.application_id)
    facts = {
        "tin": application.tin_last4 if application else "",
        "page": f"{of(db).settings.issuer}/insurer/first-managers/{claim.id}",
    }
    outbox.send(db, account_id, "first_manager_call", facts, to=(configuration.current(db).insurer.help_email,))
    return code


def prove_by_letter(db: Db, claim_id: str, *, account_id: str, key: str) -> FirstManagerClaim:
    """Prove a claim by the key of a letter; raise what `first_manager.attempt` raises."""

    def proof(db: Db, claim: FirstManagerClaim) -> bool:
        return _spend(db, claim.id, "mailed_key", key)

    return first_manager.attempt(db, claim_id, account_id=account_id, kind="mailed_key", proof=proof)


def prove_by_call(db: Db, claim_id: str, *, by: str, code: str) -> FirstManagerClaim:
    """Prove a claim by the number the person read out at the practice's own number; `by` is who called.

    Raises what `first_manager.attempt` raises, NotEntitled for one's own claim.
    """
    claim = db.get(FirstManagerClaim, claim_id)
    if claim is None:
        raise NotFound
    if claim.account_id == by:
        raise NotEntitled("Nobody calls themselves back. Ask a colleague.", code="may_not_give")

    def proof(db: Db, claim: FirstManagerClaim) -> bool:
        return _spend(db, claim.id, "call_back", code, by=by)

    return first_manager.attempt(db, claim_id, account_id=claim.account_id, kind="call_back", proof=proof)


def letters(db: Db) -> list[tuple[ProofKey, FirstManagerClaim]]:
    """Return the letters that wait to be printed, oldest first."""
    rows = db.exec(
        select(ProofKey, FirstManagerClaim)
        .join(FirstManagerClaim, col(FirstManagerClaim.id) == col(ProofKey.claim_id))
        .where(
            col(ProofKey.letter).is_not(None),
            col(ProofKey.handled_at).is_(None),
            col(ProofKey.ended_at).is_(None),
            col(FirstManagerClaim.status) == "open",
        )
        .order_by(col(ProofKey.created_at), col(ProofKey.id))
        .limit(200)
    ).all()
    return list(rows)


def print_letter(db: Db, key_id: str, *, by: str) -> Letter:
    """Return a letter to print, once; then its key is nowhere but on paper. Raises Conflict when it was printed."""
    row = db.get(ProofKey, key_id)
    sealed = row.letter if row is not None else None
    printed = db.execute(
        update(ProofKey)
        .where(col(ProofKey.id) == key_id, col(ProofKey.handled_at).is_(None), col(ProofKey.letter).is_not(None))
        .values(handled_at=clock.now(), handled_by=by, letter=None)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(printed, CursorResult)
    if printed.rowcount != 1 or sealed is None or row is None:
        raise Conflict("This letter was printed already. The person can ask for another one.")
    claim = db.get(FirstManagerClaim, row.claim_id)
    assert claim is not None
    if claim.account_id == by:
        raise NotEntitled("This is your own claim. Ask a colleague.", code="may_not_give")
    _log(db, "registration.claim.printed", claim, by=by)
    told = json.loads(of(db).ring.open("tin", f"proof_key.letter:{key_id}", sealed))
    key = " ".join(told["key"][n : n + 4] for n in range(0, len(told["key"]), 4))
    return Letter(told["practice"], tuple(told["address"]), key, told["until"])


def handlers(db: Db, claim_id: str) -> set[str]:
    """Return who of the insurer printed a letter or called for a claim: somebody else has to confirm it."""
    rows = db.exec(select(ProofKey.handled_by).where(col(ProofKey.claim_id) == claim_id)).all()
    return {one for one in rows if one is not None}


def calls(db: Db, claim_id: str) -> bool:
    """Say whether a person waits for a call."""
    return _live(db, claim_id, "call_back") is not None


def _open(db: Db, claim_id: str, account_id: str) -> FirstManagerClaim:
    claim = db.get(FirstManagerClaim, claim_id)
    if claim is None or claim.account_id != account_id:
        raise NotFound
    if claim.status != "open":
        raise Conflict("This claim is not open any more.")
    return claim


def _make(db: Db, claim: FirstManagerClaim, kind: str, key: str, lasts: timedelta) -> ProofKey:
    """Make a key; the one before is good no more."""
    db.execute(
        update(ProofKey)
        .where(col(ProofKey.claim_id) == claim.id, col(ProofKey.kind) == kind, col(ProofKey.ended_at).is_(None))
        .values(ended_at=clock.now(), letter=None)
    )
    return ProofKey(
        claim_id=claim.id, kind=kind, key_hash=_hash(db, claim.id, kind, key), expires_at=clock.now() + lasts
    )


def _hash(db: Db, claim_id: str, kind: str, key: str) -> bytes:
    return of(db).ring.keyed_hash("tin-hash", f"key/{kind}/{claim_id}/{key}")


def _live(db: Db, claim_id: str, kind: str) -> ProofKey | None:
    return db.exec(
        select(ProofKey).where(
            col(ProofKey.claim_id) == claim_id,
            col(ProofKey.kind) == kind,
            col(ProofKey.spent_at).is_(None),
            col(ProofKey.ended_at).is_(None),
            col(ProofKey.expires_at) > clock.now(),
        )
    ).first()


def _spend(db: Db, claim_id: str, kind: str, typed: str, by: str | None = None) -> bool:
    plain = "".join(typed.split()).replace("-", "")
    values = {"spent_at": clock.now()} | ({"handled_by": by, "handled_at": clock.now()} if by else {})
    spent = db.execute(
        update(ProofKey)
        .where(
            col(ProofKey.claim_id) == claim_id,
            col(ProofKey.kind) == kind,
            col(ProofKey.key_hash) == _hash(db, claim_id, kind, plain),
            col(ProofKey.spent_at).is_(None),
            col(ProofKey.ended_at).is_(None),
            col(ProofKey.expires_at) > clock.now(),
        )
        .values(**values)
    )
    assert isinstance(spent, CursorResult)
    return spent.rowcount == 1


def _address(db: Db, claim: FirstManagerClaim) -> tuple[str, list[str]] | None:
    provider = practices.provider_of(db, claim.tin_hash)
    if provider is None:
        return None
    rows = db.exec(
        select(ProviderLocation)
        .where(col(ProviderLocation.provider_id) == provider.id)
        .order_by(col(ProviderLocation.source), col(ProviderLocation.starts_at), col(ProviderLocation.id))
    ).all()
    for row in rows:
        in_force = row.starts_at <= clock.now() and (row.ends_at is None or row.ends_at > clock.now())
        if in_force and row.line1 and row.city:
            last = f"{row.city}, {row.state} {row.postal_code}".strip()
            return provider.name, [line for line in (row.line1, row.line2, last) if line]
    return None


def _log(db: Db, event: str, claim: FirstManagerClaim, **more: object) -> None:
    log.record(db, Event(event, account=claim.account_id, details={"claim": claim.id, **more}))
