"""Time-based codes of an authenticator app (RFC 6238); each code works once.

A code is spent by one conditional update of `last_step`, so the same six digits typed on two workers at once
let one of them in (security.md 15). The secret is sealed under the purpose `factors`.
"""

import hmac
from dataclasses import dataclass

import pyotp
from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import factor_rows, recovery_codes
from idp.accounts.tables import Account, Factor
from idp.database import of
from idp.errors import Conflict, Invalid, NotFound

STEP = 30
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
    if not spend(db, factor, code):
        raise Invalid(fields={"code": WRONG})
    changed = db.execute(
        update(Factor)
        .where(col(Factor.id) == factor.id, col(Factor.confirmed_at).is_(None))
        .values(confirmed_at=clock.now())
    )
    assert isinstance(changed, CursorResult)
    if changed.rowcount != 1:
        raise Conflict("This second step is already set up.")
    factor_rows.added(db, factor)
    return recovery_codes.first(db, account_id)


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
    factor_rows.added(db, factor)
    return factor


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


def spend(db: Db, factor: Factor, code: str) -> bool:
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


def _sealed(db: Db, account_id: str, key: str) -> Factor:
    factor = Factor(account_id=account_id, kind="totp", name="Authenticator app", secret=b"")
    factor.secret = of(db).ring.seal("factors", f"factor.secret:{factor.id}", key.encode())
    return factor


def _key(db: Db, factor: Factor) -> str:
    return of(db).ring.open("factors", f"factor.secret:{factor.id}", factor.secret).decode()
