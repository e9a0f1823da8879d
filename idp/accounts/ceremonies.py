"""WebAuthn ceremonies: the only module that knows the package `webauthn`, imported at first use.

A challenge carries its own proof: random bytes, its end, and a keyed digest over what it is for (purpose, journey,
session, browser, origin). Showing a page therefore writes nothing; answering writes the one row that makes a
second answer fail (security.md 15).
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import CursorResult, text
from sqlmodel import Session as Db

from idp import clock, configuration, entropy
from idp.database import of
from idp.errors import Refused

LONGEST = 16_000
"""Characters of an answer that are read at all."""
_RANDOM, _END, _PROOF = 32, 8, 32
_SPEND = text(
    "INSERT INTO spent_challenge (digest, expires_at, created_at) VALUES (:d, :e, :now) ON CONFLICT (digest) DO NOTHING"
)


class PasskeyRefused(Refused):
    """The answer of a passkey was not acceptable; `reason` is for the log alone."""

    status = 422
    code = "passkey_refused"
    title = "That passkey did not work"

    def __init__(self, reason: str, **more: Any) -> None:
        super().__init__("That passkey did not work. Try again, or confirm it's you another way.", **more)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Bound:
    """What a challenge is for; an answer counts only where all of it is the same."""

    purpose: str
    browser: str
    flow: str = ""
    session: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """What a new passkey told us."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    user_verified: bool
    backed_up: bool
    transports: list[str]


@dataclass(frozen=True, slots=True)
class Asserted:
    """What an answer with a known passkey proved."""

    sign_count: int
    user_verified: bool


def challenge(db: Db, bound: Bound) -> str:
    """Return a new challenge (base64url) that lives as long as a journey's page may stay open."""
    ends = clock.micros(clock.now() + configuration.current(db).clocks.flow)
    start = entropy.raw(_RANDOM) + ends.to_bytes(_END, "big")
    return _encoded(start + _proof(db, bound, start))


def spend(db: Db, bound: Bound, sent: str) -> bytes:
    """Use a challenge up and return its bytes; raise PasskeyRefused for a foreign, old or answered one.

    The caller commits before it looks at the answer: a wrong answer uses the challenge up too.
    """
    value = _decoded(sent)
    start, proof = value[: _RANDOM + _END], value[_RANDOM + _END :]
    if len(value) != _RANDOM + _END + _PROOF or not hmac.compare_digest(proof, _proof(db, bound, start)):
        raise PasskeyRefused("foreign_challenge")
    now = clock.micros(clock.now())
    ends = int.from_bytes(start[_RANDOM:], "big")
    if now >= ends:
        raise PasskeyRefused("old_challenge")
    spent = db.execute(_SPEND, {"d": sha256(value).digest(), "e": ends, "now": now})
    assert isinstance(spent, CursorResult)
    if spent.rowcount != 1:
        raise PasskeyRefused("challenge_reused")
    return value


def _proof(db: Db, bound: Bound, start: bytes) -> bytes:
    parts = ("passkey", of(db).settings.issuer, bound.purpose, bound.browser, bound.flow, bound.session, bound.account)
    message = "\n".join(parts).encode() + b"\n" + start
    return hmac.new(of(db).ring.derived("forms"), message, sha256).digest()


def creation_options(
    db: Db, *, challenge: str, account_id: str, user_name: str, display_name: str, existing: Iterable[bytes]
) -> str:
    """Return the options of `navigator.credentials.create` as JSON. No attestation is asked for."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers import structs

    options = generate_registration_options(
        rp_id=_rp_id(db),
        rp_name=configuration.current(db).insurer.name,
        user_id=account_id.encode(),
        user_name=user_name,
        user_display_name=display_name,
        challenge=_decoded(challenge),
        timeout=300_000,
        attestation=structs.AttestationConveyancePreference.NONE,
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.PREFERRED,
            user_verification=structs.UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=one) for one in existing],
    )
    return options_to_json(options)


def request_options(db: Db, *, challenge: str, allowed: Iterable[bytes], verified: bool) -> str:
    """Return the options of `navigator.credentials.get` as JSON; no `allowed` means any discoverable passkey.

    Written here and not by the package: every sign-in page carries them, and most are never answered.
    """
    options = {
        "challenge": challenge,
        "rpId": _rp_id(db),
        "timeout": 300_000,
        "allowCredentials": [{"type": "public-key", "id": _encoded(one)} for one in allowed],
        "userVerification": "required" if verified else "preferred",
    }
    return json.dumps(options)


def credential_of(sent: str) -> tuple[dict[str, Any], bytes, str | None]:
    """Read an answer: itself, its credential id, and the account its user handle names (None without one)."""
    if len(sent) > LONGEST:
        raise PasskeyRefused("too_long")
    try:
        answer = json.loads(sent)
    except (ValueError, RecursionError):
        raise PasskeyRefused("not_json") from None
    if not isinstance(answer, dict) or not isinstance(answer.get("rawId"), str):
        raise PasskeyRefused("not_a_credential")
    inner = answer.get("response")
    handle = inner.get("userHandle") if isinstance(inner, dict) else None
    account = None
    if isinstance(handle, str):
        account = _decoded(handle).decode("utf-8", "replace")
    return answer, _decoded(answer["rawId"]), account


def registered(db: Db, answer: dict[str, Any], challenge: bytes) -> Registered:
    """Verify the answer to creation options; raise PasskeyRefused."""
    from webauthn import verify_registration_response

    _same_origin(answer)
    made = _guarded(
        verify_registration_response,
        credential=answer,
        expected_challenge=challenge,
        expected_rp_id=_rp_id(db),
        expected_origin=of(db).settings.issuer,
    )
    if str(made.fmt) not in ("none", "packed"):
        # We ask for no attestation: a browser then sends none, or a key's word about itself.
        raise PasskeyRefused("attestation_unasked")
    transports = answer["response"].get("transports")
    kept = [t for t in transports if isinstance(t, str) and len(t) <= 20][:8] if isinstance(transports, list) else []
    return Registered(
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        user_verified=made.user_verified,
        backed_up=made.credential_backed_up,
        transports=kept,
    )


def asserted(db: Db, answer: dict[str, Any], challenge: bytes, public_key: bytes, *, verified: bool) -> Asserted:
    """Verify the answer to request options with a stored public key; raise PasskeyRefused.

    The counter is compared by the caller, in the statement that stores it.
    """
    from webauthn import verify_authentication_response

    _same_origin(answer)
    proved = _guarded(
        verify_authentication_response,
        credential=answer,
        expected_challenge=challenge,
        expected_rp_id=_rp_id(db),
        expected_origin=of(db).settings.issuer,
        credential_public_key=public_key,
        credential_current_sign_count=0,
        require_user_verification=verified,
    )
    return Asserted(proved.new_sign_count, proved.user_verified)


def _guarded(verify: Any, **facts: Any) -> Any:
    """Call the package; whatever a bent answer makes it raise is a refusal, never a fault of ours."""
    try:
        return verify(**facts)
    except Exception as problem:
        raise PasskeyRefused(type(problem).__name__) from problem


def _same_origin(answer: dict[str, Any]) -> None:
    """Refuse an answer made inside another site's frame (the package reads the mark but does not ask for it)."""
    try:
        told = json.loads(_decoded(answer["response"]["clientDataJSON"]))
        foreign = bool(told.get("crossOrigin")) or "topOrigin" in told
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise PasskeyRefused("not_a_credential") from None
    if foreign:
        raise PasskeyRefused("foreign_frame")


def _rp_id(db: Db) -> str:
    return urlsplit(of(db).settings.issuer).hostname or ""


def _encoded(value: bytes) -> str:

    return urlsafe_b64encode(value).decode().rstrip("=")


def _decoded(value: str) -> bytes:

    try:
        return urlsafe_b64decode(value.encode("ascii") + b"=" * (-len(value) % 4))
    except ValueError:
        raise PasskeyRefused("not_base64") from None
