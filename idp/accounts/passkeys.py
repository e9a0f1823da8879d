"""Passkeys and security keys: added, asked for, checked. The ceremony itself is in `ceremonies`.

User verification decides the strength: with it a passkey is two factors at once and resists phishing; without it
it is the second of two (63B-4 3.2.5, decisions.md 6). A counter that goes back means the key was copied: that answer
is refused and its owner is told.
"""

from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from sqlalchemy import CursorResult, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import ceremonies, factor_rows, humans, recovery_codes
from idp.accounts.ceremonies import Bound, PasskeyRefused
from idp.accounts.proof_tables import Passkey
from idp.accounts.tables import Account, Factor
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Conflict
from idp.notices import outbox

MOST = 20
"""Passkeys of one account."""
_USED = text(
    "UPDATE passkey SET sign_count = :n, last_used_at = :now WHERE factor_id = :f "
    "AND (sign_count < :n OR (sign_count = 0 AND :n = 0))"
)


@dataclass(frozen=True, slots=True)
class Proved:
    """An accepted answer: whose passkey it was, and how much it says."""

    account_id: str
    factor_id: str
    user_verified: bool


def to_add(db: Db, account: Account, bound: Bound) -> tuple[str, str]:
    """Return a challenge and the options for making a new passkey of this account. Raises Conflict."""
    existing = of_account(db, account.id)
    if len(existing) >= MOST:
        raise Conflict(f"You have {MOST} passkeys. Remove one you don't use first.")
    challenge = ceremonies.challenge(db, bound)
    options = ceremonies.creation_options(
        db,
        challenge=challenge,
        account_id=account.id,
        user_name=account.display_name,
        display_name=account.display_name,
        existing=[one.credential_id for one in existing],
    )
    return challenge, options


def add(db: Db, account_id: str, answer: str, challenge: bytes, *, name: str) -> tuple[Factor, bool, list[str]]:
    """Keep a new passkey; return it, whether its owner was verified, and recovery codes where there were none.

    Raises PasskeyRefused; Conflict for a key that is known already, here or at another account.
    """
    read, _, _ = ceremonies.credential_of(answer)
    made = ceremonies.registered(db, read, challenge)
    factor = Factor(
        account_id=account_id,
        kind="passkey",
        name=" ".join(name.split())[:60] or "Passkey",
        secret=b"",
        phishing_resistant=True,
        confirmed_at=clock.now(),
    )
    try:
        with db.begin_nested():
            db.add(factor)
            db.flush()
            db.add(
                Passkey(
                    factor_id=factor.id,
                    credential_hash=sha256(made.credential_id).digest(),
                    credential_id=made.credential_id,
                    public_key=made.public_key,
                    sign_count=made.sign_count,
                    user_verified=made.user_verified,
                    backed_up=made.backed_up,
                    transports=made.transports,
                )
            )
            db.flush()
    except IntegrityError:
        raise Conflict("This passkey is set up already. Use it, or add another one.") from None
    factor_rows.added(db, factor)
    return factor, made.user_verified, recovery_codes.first(db, account_id)


def to_ask(db: Db, bound: Bound, *, account_id: str | None, verified: bool) -> tuple[str, str]:
    """Return a challenge and the options for answering with a passkey.

    Without an account no key is named, so the page says nothing about anybody (security.md 9).
    """
    challenge = ceremonies.challenge(db, bound)
    allowed = [one.credential_id for one in of_account(db, account_id)] if account_id else []
    return challenge, ceremonies.request_options(db, challenge=challenge, allowed=allowed, verified=verified)


def verify(db: Db, answer: str, challenge: bytes, *, account_id: str | None, verified: bool) -> Proved:
    """Check an answer against the stored key and count it; raise PasskeyRefused.

    `account_id` None: the person is named by the passkey alone, whose user handle has to agree.
    """
    read, credential_id, handle = ceremonies.credential_of(answer)
    found = _find(db, credential_id)
    if found is None:
        raise _refused("unknown_passkey", account_id)
    factor, passkey = found
    if account_id is not None and factor.account_id != account_id:
        raise _refused("another_accounts_passkey", account_id)
    if not _names(db, handle, factor.account_id) and (handle is not None or account_id is None):
        raise _refused("wrong_user_handle", factor.account_id)
    try:
        proved = ceremonies.asserted(db, read, challenge, passkey.public_key, verified=verified)
    except PasskeyRefused as refusal:
        raise _refused(refusal.reason, factor.account_id) from refusal
    now = clock.micros(clock.now())
    used = db.execute(_USED, {"n": proved.sign_count, "now": now, "f": factor.id})
    assert isinstance(used, CursorResult)
    if used.rowcount != 1:
        raise _refused("counter_went_back", factor.account_id, factor.name)
    return Proved(factor.account_id, factor.id, proved.user_verified)


def _names(db: Db, handle: str | None, owner: str) -> bool:
    """Say whether a user handle names the key's owner: the account itself, or one that became part of it."""
    return handle is not None and (handle == owner or humans.survivor(db, handle[:40]) == owner)


def _refused(reason: str, account_id: str | None, copied: str | None = None) -> PasskeyRefused:
    event = Event("accounts.factor.refused", account=account_id, outcome="refused", reason=reason)
    told = (partial(log.record, event=event),)
    if copied is None or account_id is None:
        return PasskeyRefused(reason, then=told)
    notice = partial(outbox.send, account_id=account_id, template="passkey_copied", facts={"factor": copied})
    return PasskeyRefused(reason, then=(*told, notice))


def of_account(db: Db, account_id: str) -> list[Passkey]:
    """Return the passkeys of an account."""
    ids = [factor.id for factor in factor_rows.live(db, account_id, "passkey")]
    return list(db.exec(select(Passkey).where(col(Passkey.factor_id).in_(ids)))) if ids else []


def _find(db: Db, credential_id: bytes) -> tuple[Factor, Passkey] | None:
    row = db.exec(
        select(Factor, Passkey)
        .join(Passkey, col(Passkey.factor_id) == col(Factor.id))
        .where(
            col(Passkey.credential_hash) == sha256(credential_id).digest(),
            col(Factor.ended_at).is_(None),
            col(Factor.confirmed_at).is_not(None),
        )
    ).one_or_none()
    return (row[0], row[1]) if row else None
