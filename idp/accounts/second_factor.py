"""Second steps: time-based codes (RFC 6238) and recovery codes; each code works once.

A code is spent by one conditional update of `last_step`, so the same six digits typed on two workers at once
let one of them in (security.md 15). The secret is sealed under the purpose `factors`.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import pyotp
from sqlalchemy import CursorResult, text, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration, entropy
from idp.accounts.tables import Account, Factor
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import Conflict, Invalid, NotFound
from idp.notices import outbox
from idp.signals import epochs

STEP = 30
RECOVERY_CODES = 10
STAFF_OR_MANAGER = (
    "SELECT 1 FROM appointment WHERE account_id = {account} AND ended_at IS NULL AND starts_at <= {now} "
    "AND (ends_at IS NULL OR ends_at > {now}) "
    "UNION ALL SELECT 1 FROM affiliation f JOIN provider p ON p.id = f.provider_id WHERE f.account_id = {account} "
    "AND p.kind = 'insurer' AND f.ended_at IS NULL AND f.starts_at <= {now} "
    "AND (f.ends_at IS NULL OR f.ends_at > {now})"
)
"""Whether somebody is an access manager or works for us; the authorize endpoint asks it within its one statement."""
_STAFF_OR_MANAGER = text(STAFF_OR_MANAGER.format(account=":a", now=":now"))
WRONG = "That code did not work. Codes change every 30 seconds and work once. Wait for the next one."


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A second step being set up; the key is shown until the first code confirms it."""

    factor_id: str
    key: str
    uri: str

    @property
    def key_in_groups(self) -> str:
        """The key in groups of four, for typing."""
        return " ".join(self.key[n : n + 4] for n in range(0, len(self.key), 4))


def enrol(db: Db, account: Account) -> Enrolment:
    """Begin a time-based code, or return the one that was begun moments ago and not yet confirmed.

    An older one is dropped: whoever saw its key then must not hold the key confirmed now.
    """
    pending = _pending(db, account.id)
    if pending is None:
        _drop_pending(db, account.id)
        pending = _sealed(db, account.id, pyotp.random_base32())
        db.add(pending)
        db.flush()
    return _enrolment(db, account, pending)


def begun(db: Db, account: Account) -> Enrolment | None:
    """Return the time-based code that was begun but not confirmed, if there is one."""
    pending = _pending(db, account.id)
    return _enrolment(db, account, pending) if pending else None


def _enrolment(db: Db, account: Account, pending: Factor) -> Enrolment:
    key = _key(db, pending)
    insurer = configuration.current(db).insurer.name
    return Enrolment(pending.id, key, pyotp.TOTP(key).provisioning_uri(name=account.display_name, issuer_name=insurer))


def _pending(db: Db, account_id: str) -> Factor | None:
    return db.exec(
        select(Factor).where(
            col(Factor.account_id) == account_id,
            col(Factor.kind) == "totp",
            col(Factor.confirmed_at).is_(None),
            col(Factor.ended_at).is_(None),
            col(Factor.created_at) > clock.now() - configuration.current(db).clocks.flow,
        )
    ).first()


def _drop_pending(db: Db, account_id: str) -> None:
    db.execute(
        update(Factor)
        .where(
            col(Factor.account_id) == account_id,
            col(Factor.kind) == "totp",
            col(Factor.confirmed_at).is_(None),
            col(Factor.ended_at).is_(None),
        )
        .values(ended_at=clock.now())
    )


def confirm(db: Db, account_id: str, factor_id: str, code: str) -> list[str]:
    """Make a begun code count, proved by its first code; return recovery codes where there were none.

    Raises Invalid for a wrong code, NotFound for another account's factor.
    """
    factor = db.get(Factor, factor_id)
    if factor is None or factor.account_id != account_id or factor.kind != "totp" or factor.ended_at is not None:
        raise NotFound
    if factor.confirmed_at is not None:
        raise Conflict("This second step is already set up.")
    if factor.created_at <= clock.now() - configuration.current(db).clocks.flow:
        raise Conflict("This key has expired. Open the page again for a new one.")
    if not _spend(db, factor, code):
        raise Invalid(fields={"code": WRONG})
    changed = db.execute(
        update(Factor)
        .where(col(Factor.id) == factor.id, col(Factor.confirmed_at).is_(None))
        .values(confirmed_at=clock.now())
    )
    assert isinstance(changed, CursorResult)
    if changed.rowcount != 1:
        raise Conflict("This second step is already set up.")
    _added(db, factor)
    return [] if recovery_left(db, account_id) else make_recovery_codes(db, account_id)


def install(db: Db, account_id: str, key: str) -> Factor:
    """Set up a time-based code from a key both sides already hold (applied configuration). Raises Invalid."""
    cleaned = key.replace(" ", "").upper()
    try:
        pyotp.TOTP(cleaned).at(0)
    except ValueError:
        raise Invalid(fields={"totp": "The authenticator key must be base32."}) from None
    for factor in live(db, account_id):
        if hmac.compare_digest(_key(db, factor).encode(), cleaned.encode()):
            return factor
    factor = _sealed(db, account_id, cleaned)
    factor.confirmed_at = clock.now()
    db.add(factor)
    db.flush()
    _added(db, factor)
    return factor


def verify(db: Db, account_id: str, code: str) -> str | None:
    """Spend a time-based or recovery code; return what it was (`otp`, `recovery`), or None when it is wrong.

    Counting tries is the caller's: see login.by_code.
    """
    typed = "".join(code.split()).replace("-", "")
    if typed.isascii() and typed.isdigit() and len(typed) == 6:
        return "otp" if any(_spend(db, factor, typed) for factor in live(db, account_id)) else None
    return "recovery" if _spend_recovery(db, account_id, typed) else None


def live(db: Db, account_id: str) -> list[Factor]:
    """Return the confirmed time-based codes of an account."""
    return list(
        db.exec(
            select(Factor)
            .where(
                col(Factor.account_id) == account_id,
                col(Factor.kind) == "totp",
                col(Factor.confirmed_at).is_not(None),
                col(Factor.ended_at).is_(None),
            )
            .order_by(col(Factor.created_at), col(Factor.id))
        )
    )


def has(db: Db, account_id: str) -> bool:
    """Say whether an account has a second step set up."""
    return bool(live(db, account_id))


def needs_factor(db: Db, account_id: str) -> bool:
    """Say whether this person uses a second step at every sign-in: access managers and our staff (decisions.md 6).

    The two tables belong to higher layers, so they are asked by name and only for a yes or no.
    """
    if configuration.current(db).second_factor_for_everyone:
        return True
    found = db.execute(_STAFF_OR_MANAGER, {"a": account_id, "now": clock.micros(clock.now())}).first()
    return found is not None


def remove(db: Db, account_id: str, factor_id: str) -> None:
    """Take away one of several second steps; the last one stays, another has to be added first."""
    factors = live(db, account_id)
    factor = next((f for f in factors if f.id == factor_id), None)
    if factor is None:
        raise NotFound
    if len(factors) == 1:
        raise Conflict("This is your only second step. Add another one first, then remove this one.")
    ended = db.execute(
        update(Factor).where(col(Factor.id) == factor_id, col(Factor.ended_at).is_(None)).values(ended_at=clock.now())
    )
    assert isinstance(ended, CursorResult)
    if ended.rowcount != 1:
        raise Conflict("This second step was removed meanwhile.")
    log.record(db, Event("accounts.factor.removed", account=account_id, details={"kind": "totp", "factor": factor_id}))
    epochs.changed_account(db, account_id)
    outbox.send(db, account_id, "factor_removed", {"factor": factor.name})


def make_recovery_codes(db: Db, account_id: str) -> list[str]:
    """Make ten new recovery codes (80 random bits each); older ones stop working. Shown once, kept as hashes."""
    now = clock.now()
    db.execute(
        update(Factor)
        .where(col(Factor.account_id) == account_id, col(Factor.kind) == "recovery", col(Factor.ended_at).is_(None))
        .values(ended_at=now)
    )
    codes = [entropy.new_id("x")[2:18] for _ in range(RECOVERY_CODES)]
    for code in codes:
        db.add(Factor(account_id=account_id, kind="recovery", secret=_hash(code), confirmed_at=now))
    db.flush()
    event = Event("accounts.factor.added", account=account_id, details={"kind": "recovery", "n": len(codes)})
    log.record(db, event)
    outbox.send(db, account_id, "recovery_codes_made", {})
    return ["-".join(code[n : n + 4] for n in range(0, 16, 4)) for code in codes]


def recovery_left(db: Db, account_id: str) -> int:
    """Return how many recovery codes are unused."""
    return len(_recovery(db, account_id))


def _recovery(db: Db, account_id: str) -> Sequence[Factor]:
    return db.exec(
        select(Factor).where(
            col(Factor.account_id) == account_id, col(Factor.kind) == "recovery", col(Factor.ended_at).is_(None)
        )
    ).all()


def _hash(code: str) -> bytes:
    return sha256(code.encode()).digest()


def _spend_recovery(db: Db, account_id: str, typed: str) -> bool:
    spent = db.execute(
        update(Factor)
        .where(
            col(Factor.account_id) == account_id,
            col(Factor.kind) == "recovery",
            col(Factor.secret) == _hash(typed.lower()),
            col(Factor.ended_at).is_(None),
        )
        .values(ended_at=clock.now())
    )
    assert isinstance(spent, CursorResult)
    if spent.rowcount != 1:
        return False
    outbox.send(db, account_id, "recovery_code_used", {"left": recovery_left(db, account_id)})
    return True


def _sealed(db: Db, account_id: str, key: str) -> Factor:
    factor = Factor(account_id=account_id, kind="totp", name="Authenticator app", secret=b"")
    factor.secret = of(db).ring.seal("factors", f"factor.secret:{factor.id}", key.encode())
    return factor


def _key(db: Db, factor: Factor) -> str:
    return of(db).ring.open("factors", f"factor.secret:{factor.id}", factor.secret).decode()


def _added(db: Db, factor: Factor) -> None:
    details = {"kind": factor.kind, "factor": factor.id}
    log.record(db, Event("accounts.factor.added", account=factor.account_id, details=details))
    epochs.changed_account(db, factor.account_id)
    outbox.send(db, factor.account_id, "factor_added", {"factor": factor.name})


def _spend(db: Db, factor: Factor, code: str) -> bool:
    """Accept the present step and one either side; the step then counts as used, and every earlier one."""
    totp = pyotp.TOTP(_key(db, factor))
    now = int(clock.now().timestamp()) // STEP
    matching = [step for step in (now - 1, now, now + 1) if hmac.compare_digest(totp.generate_otp(step), code)]
    if not matching:
        return False
    spent = db.execute(
        update(Factor)
        .where(col(Factor.id) == factor.id, col(Factor.last_step) < matching[0], col(Factor.ended_at).is_(None))
        .values(last_step=matching[0])
    )
    assert isinstance(spent, CursorResult)
    return spent.rowcount == 1
