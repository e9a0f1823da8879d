"""Second steps of an account, of whatever kind: has it one, must it have one, name it, take it away.

The kinds have a module each: `time_codes`, `passkeys`, and `recovery_codes` for the day both are lost. E-mail and
text messages are none (domain.md 9).
"""

from sqlalchemy import CursorResult, text, update
from sqlmodel import Session as Db
from sqlmodel import col

from idp import clock, configuration
from idp.accounts import factor_rows, people, recovery_codes, sessions, time_codes
from idp.accounts.recovery_codes import RECOVERY_CODES, make_recovery_codes, recovery_left
from idp.accounts.tables import Factor
from idp.accounts.time_codes import WRONG, Enrolment, begun, confirm, enrol, install, live
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Conflict, Invalid, NotFound
from idp.notices import outbox
from idp.signals import credentials, epochs

__all__ = [
    "RECOVERY_CODES",
    "STAFF_OR_MANAGER",
    "WRONG",
    "Enrolment",
    "begun",
    "confirm",
    "enrol",
    "has",
    "install",
    "live",
    "make_recovery_codes",
    "needs_factor",
    "recovery_left",
    "remove",
    "rename",
    "steps",
    "verify",
]
_LONGEST_NAME = 60
STAFF_OR_MANAGER = (
    "SELECT 1 FROM appointment WHERE account_id = {account} AND ended_at IS NULL AND starts_at <= {now} "
    "AND (ends_at IS NULL OR ends_at > {now}) "
    "UNION ALL SELECT 1 FROM affiliation f JOIN provider p ON p.id = f.provider_id WHERE f.account_id = {account} "
    "AND p.kind = 'insurer' AND f.ended_at IS NULL AND f.starts_at <= {now} "
    "AND (f.ends_at IS NULL OR f.ends_at > {now}) "
    "UNION ALL SELECT 1 FROM partner_member m WHERE m.account_id = {account} AND m.administrator "
    "AND m.ended_at IS NULL AND m.starts_at <= {now} AND (m.ends_at IS NULL OR m.ends_at > {now})"
)
"""Whether somebody is an access manager, an outside company's administrator, or works for us.

The authorize endpoint asks it within its one statement.
"""
_STAFF_OR_MANAGER = text(STAFF_OR_MANAGER.format(account=":a", now=":now"))


def verify(db: Db, account_id: str, code: str) -> str | None:
    """Spend a time-based or recovery code; return what it was (`otp`, `recovery`), or None when it is wrong.

    Counting tries is the caller's: see stepping_up.by_code.
    """
    typed = "".join(code.split()).replace("-", "")
    if typed.isascii() and typed.isdigit() and len(typed) == 6:
        return "otp" if any(time_codes.spend(db, factor, typed) for factor in live(db, account_id)) else None
    return "recovery" if recovery_codes.spend(db, account_id, typed) else None


def steps(db: Db, account_id: str) -> list[Factor]:
    """Return the second steps of an account that work again and again, oldest first."""
    return factor_rows.live(db, account_id)


def has(db: Db, account_id: str) -> bool:
    """Say whether an account has a second step set up."""
    return bool(steps(db, account_id))


def needs_factor(db: Db, account_id: str) -> bool:
    """Say whether this person uses a second step at every sign-in: access managers and our staff (decisions.md 6).

    The two tables belong to higher layers, so they are asked by name and only for a yes or no.
    """
    if configuration.current(db).second_factor_for_everyone:
        return True
    found = db.execute(_STAFF_OR_MANAGER, {"a": account_id, "now": clock.micros(clock.now())}).first()
    return found is not None


def own(db: Db, account_id: str, factor_id: str) -> Factor:
    """Return one of an account's second steps; raise NotFound for anybody else's."""
    factor = next((f for f in steps(db, account_id) if f.id == factor_id), None)
    if factor is None:
        raise NotFound
    return factor


def rename(db: Db, account_id: str, factor_id: str, name: str) -> None:
    """Give a second step the name its owner knows it by. Raises Invalid, NotFound."""
    factor = own(db, account_id, factor_id)
    cleaned = " ".join(name.split())
    if not cleaned or len(cleaned) > _LONGEST_NAME or not cleaned.isprintable():
        raise Invalid(fields={"name": f"Use a name of 1 to {_LONGEST_NAME} characters."})
    factor.name = cleaned
    db.add(factor)
    db.flush()
    log.record(db, Event("accounts.factor.renamed", account=account_id, details={"factor": factor_id}))


def remove(db: Db, account_id: str, factor_id: str, *, keep_session: str | None = None) -> None:
    """Take away one of several second steps; the last one stays, another has to be added first.

    The account is locked first, so two removals at once cannot leave none. Every session but `keep_session` ends, since
    a credential changed, and remembered devices are asked again.
    """
    people.lock(db, account_id)
    factor = own(db, account_id, factor_id)
    if len(steps(db, account_id)) == 1:
        raise Conflict("This is your only second step. Add another one first, then remove this one.")
    ended = db.execute(
        update(Factor).where(col(Factor.id) == factor_id, col(Factor.ended_at).is_(None)).values(ended_at=clock.now())
    )
    assert isinstance(ended, CursorResult)
    if ended.rowcount != 1:
        raise Conflict("This second step was removed meanwhile.")
    sessions.end_all(db, account_id, because="factor_removed", by=account_id, keep=keep_session)
    details = {"kind": factor.kind, "factor": factor_id}
    log.record(db, Event("accounts.factor.removed", account=account_id, details=details))
    credentials.changed(db, account_id, factor.kind, "delete")
    epochs.changed_account(db, account_id)
    outbox.send(db, account_id, "factor_removed", {"factor": factor.name})
