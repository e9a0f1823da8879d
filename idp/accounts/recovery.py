"""Getting back in with two different proofs (RU-8): begun, proved, stopped. What follows from it is in `recovered`.

Whatever name is typed, a row is written and the same pages follow; only a right proof tells that somebody has the name
(security.md 9). The first proof is a saved code or a mailed one, never a guessable one, so nobody reaches the tries of
an authenticator app without it. Each try is counted before it is looked at, per attempt, so nobody can use up the tries
of another one's attempt.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import sha256

from sqlalchemy import CursorResult, text, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration, entropy
from idp.accounts import (
    attempts,
    devices,
    factor_rows,
    local_logins,
    people,
    recovery_codes,
    second_factor,
    time_codes,
    vouching,
)
from idp.accounts.flows import browser_hash
from idp.accounts.proof_tables import Recovery
from idp.accounts.tables import Account, Contact
from idp.audit import log
from idp.audit.events import Event
from idp.database import Database, of, transaction
from idp.errors import Invalid, Refused
from idp.notices import outbox

MOST_TRIES = 10
"""Codes looked at in one attempt, of whatever kind."""
WRONG = "That code did not work. Each code works once, and a mailed one for 15 minutes."
_COUNT = text(
    "UPDATE recovery SET tries = tries + 1 WHERE id = :id AND tries < :most AND finished_at IS NULL "
    "AND stopped_at IS NULL AND expires_at > :now"
)


class Lost(Refused):
    """The attempt is over, was stopped, used up its tries, or was begun in another browser."""

    status = 400
    code = "recovery_lost"
    title = "This can't go on here"

    def __init__(self) -> None:
        super().__init__("This took too long, was stopped, or was started in another browser. Start again.")


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an attempt is, as its pages show it."""

    proofs: tuple[str, ...]
    """`saved`, `mailed`, `factor`, `manager`, as they were given."""
    second: tuple[str, ...]
    """Ways left for the second proof; empty before the first one, which is all that a stranger sees."""
    vouched: vouching.Word | None
    has_password: bool

    @property
    def complete(self) -> bool:
        """Say whether two different proofs were given."""
        return len(self.proofs) >= 2


def begin(db: Db, typed: str, *, browser: str, device_secret: str | None) -> Recovery:
    """Begin an attempt for a name or address; one nobody has gets an attempt in which nothing is ever right."""
    account_id = _account_of(db, typed)
    device = devices.find(db, device_secret)
    known = device is not None and account_id is not None and devices.knows(db, account_id, device.id)
    made = Recovery(
        account_id=account_id,
        browser_hash=browser_hash(browser),
        known_device=known,
        expires_at=clock.now() + configuration.current(db).clocks.recovery,
    )
    db.add(made)
    db.flush()
    log.record(db, Event("accounts.recovery.begun", account=account_id, details={"recovery": made.id}))
    return made


def _account_of(db: Db, typed: str) -> str | None:
    """Return whose user name this is, or whose confirmed address where only one account has it."""
    found = local_logins.find(db, typed[:256])
    try:
        address = people.normalised_email(typed)
    except Invalid:
        address = ""
    owners = set(
        db.exec(
            select(Contact.account_id)
            .join(Account, col(Account.id) == col(Contact.account_id))
            .where(
                col(Contact.email) == address,
                col(Contact.verified_at).is_not(None),
                col(Account.status) != "closed",  # one that became part of another leads nowhere any more
            )
        ).all()
    )
    if found is not None:
        return found[0].account_id
    return owners.pop() if len(owners) == 1 else None


def find(db: Db, recovery_id: str, browser: str | None) -> Recovery:
    """Return this browser's attempt that is still going on; raise Lost.

    Its pages are open for an hour, also where it waits longer for an access manager's word: who has waited proves
    themselves anew, for nobody knows who sits at that browser by then.
    """
    row = db.get(Recovery, recovery_id)
    now = clock.now()
    if (
        row is None
        or browser is None
        or row.browser_hash != browser_hash(browser)
        or row.finished_at is not None
        or row.stopped_at is not None
        or now >= row.expires_at
        or now >= row.created_at + configuration.current(db).clocks.recovery
    ):
        raise Lost
    return row


def standing(db: Db, row: Recovery) -> Standing:
    """Return how far an attempt is."""
    first = row.saved_proved_at or row.code_proved_at
    word = vouching.of_account(db, row.account_id) if first is not None and row.account_id else None
    given = [
        kind
        for kind, at in (
            ("saved", row.saved_proved_at),
            ("mailed", row.code_proved_at),
            ("factor", row.factor_proved_at),
            ("manager", row.manager_wanted_at if word is not None and word.usable else None),
        )
        if at is not None
    ]
    second: list[str] = []
    if given and row.account_id is not None:
        second = [kind for kind in ("saved", "mailed") if kind not in given]
        if "factor" not in given and time_codes.live(db, row.account_id):
            second.append("factor")
        if "factor" not in given and factor_rows.live(db, row.account_id, "passkey"):
            second.append("passkey")
        second.append("manager")
    has_password = (
        bool(given) and row.account_id is not None and local_logins.of_account(db, row.account_id) is not None
    )
    return Standing(tuple(given), tuple(second), word, has_password)


def want_code(db: Db, row: Recovery) -> None:
    """Ask for a code by mail; a job writes it, so this costs the same whether or not there is anybody to write to."""
    db.execute(
        update(Recovery)
        .where(col(Recovery.id) == row.id, col(Recovery.code_proved_at).is_(None))
        .values(code_wanted_at=clock.now())
    )


def prove(database: Database, row: Recovery, kind: str, code: str) -> None:
    """Look at one code: `saved`, `mailed`, or after one of these `factor`. Raises Invalid, Lost, Throttled."""
    typed = "".join(code.split()).replace("-", "").lower()
    key = None
    with transaction(database) as db:
        count_try(db, row.id)
        if kind == "factor":
            if row.account_id is None or not standing(db, row).proofs:
                raise Lost
            # The same counter as signing in with a code: two roads are not twice the guesses (security.md 7).
            key = attempts.key_for(db, "code", account_id=row.account_id)
            attempts.count(db, key)
    with transaction(database) as db:
        if not CHECKS[kind](db, row, typed):
            event = Event(
                "accounts.recovery.refused",
                account=row.account_id,
                outcome="refused",
                reason=f"wrong_{kind}",
                details={"recovery": row.id},
            )
            raise Invalid(fields={kind: WRONG}, then=(partial(log.record, event=event),))
        if key is not None:
            attempts.forget(db, key)
        proved(db, row.id, kind)


def count_try(db: Db, recovery_id: str) -> None:
    """Count a try before it is looked at; raise Lost when the attempt has none left."""
    counted = db.execute(_COUNT, {"id": recovery_id, "most": MOST_TRIES, "now": clock.micros(clock.now())})
    assert isinstance(counted, CursorResult)
    if counted.rowcount != 1:
        raise Lost


def code_hash(db: Db, recovery_id: str, code: str) -> bytes:
    """Return what is stored of a mailed code: keyed and bound to its attempt, so no other attempt can use it."""
    return of(db).ring.keyed_hash("forms", f"recovery\n{recovery_id}\n{code}")


def _saved(db: Db, row: Recovery, typed: str) -> bool:
    return recovery_codes.spend(db, row.account_id or "", typed)


def _mailed(db: Db, row: Recovery, typed: str) -> bool:
    spent = db.execute(
        update(Recovery)
        .where(
            col(Recovery.id) == row.id,
            col(Recovery.code_hash) == code_hash(db, row.id, typed),
            col(Recovery.code_expires_at) > clock.now(),
        )
        .values(code_hash=None)
    )
    assert isinstance(spent, CursorResult)
    return spent.rowcount == 1


def _factor(db: Db, row: Recovery, typed: str) -> bool:
    is_code = len(typed) == 6 and typed.isascii() and typed.isdigit()
    return is_code and second_factor.verify(db, row.account_id or "", typed) == "otp"


CHECKS: dict[str, Callable[[Db, Recovery, str], bool]] = {"saved": _saved, "mailed": _mailed, "factor": _factor}
"""Looks at a code of each kind and spends it."""
_COLUMNS = {"saved": "saved_proved_at", "mailed": "code_proved_at", "factor": "factor_proved_at"}


def proved(db: Db, recovery_id: str, kind: str) -> None:
    """Note a proof; the first one tells every address of the account, with a link that stops it all."""
    row = db.get(Recovery, recovery_id, populate_existing=True)
    assert row is not None
    assert row.account_id is not None
    setattr(row, _COLUMNS[kind], clock.now())
    if row.stop_hash is None:
        secret = entropy.token()
        row.stop_hash = sha256(secret.encode()).digest()
        outbox.send(db, row.account_id, "recovery_begun", {"stop": f"{of(db).settings.issuer}/recover/stop/{secret}"})
    db.add(row)
    db.flush()
    details = {"recovery": recovery_id, "proof": kind}
    log.record(db, Event("accounts.recovery.proved", account=row.account_id, details=details))


def want_manager(db: Db, row: Recovery) -> None:
    """Ask the access managers of this person's practices to vouch; only after a first proof. Raises Lost."""
    if row.account_id is None or not standing(db, row).proofs:
        raise Lost
    if row.manager_wanted_at is None:
        row.manager_wanted_at = clock.now()
        row.expires_at = clock.now() + configuration.current(db).clocks.recovery_wait + timedelta(days=7)
        db.add(row)
        db.flush()
        if vouching.of_account(db, row.account_id) is None:
            vouching.ask(db, row.account_id)


def stop_all(db: Db, account_id: str) -> None:
    """Stop every attempt for an account that still goes on, whoever began it, and what was vouched."""
    db.execute(
        update(Recovery)
        .where(
            col(Recovery.account_id) == account_id,
            col(Recovery.finished_at).is_(None),
            col(Recovery.stopped_at).is_(None),
        )
        .values(stopped_at=clock.now())
    )
    vouching.end_all(db, account_id)


def stop(db: Db, secret: str) -> bool:
    """Stop every attempt of the account a stop link belongs to, and what was vouched; False for no such link."""
    row = db.exec(select(Recovery).where(col(Recovery.stop_hash) == sha256(secret.encode()).digest())).one_or_none()
    if row is None or row.account_id is None:
        return False
    stop_all(db, row.account_id)
    log.record(db, Event("accounts.recovery.stopped", account=row.account_id, details={"recovery": row.id}))
    return True
