"""Confirm a live session with a second step: a code, or a passkey just proved."""

from functools import partial

from sqlmodel import Session as Db

from idp import clock, configuration
from idp.accounts import attempts, devices, second_factor, sessions
from idp.accounts.assurance import AAL2, PHR
from idp.accounts.opening import Browser, SignedIn, may_remember
from idp.accounts.tables import Account, Session
from idp.audit import log
from idp.audit.events import Event
from idp.database import Database, transaction
from idp.errors import NotSignedIn, Refused


class WrongCode(Refused):
    """The code was not right, was used before, or is too old."""

    status = 422
    code = "wrong_code"
    title = "That code did not work"

    def __init__(self, event: Event) -> None:
        super().__init__(second_factor.WRONG, then=(partial(log.record, event=event),))


PROVEN_BY = {
    "otp": (AAL2, ["otp", "mfa"]),
    "recovery": (AAL2, ["mfa"]),
    "passkey": (PHR, ["mfa", "pop", "user"]),
    "touch": (AAL2, ["mfa", "pop"]),
}
"""What each second step proves: acr and amr (RFC 8176). `touch` is a security key that did not verify its user."""


def by_code(
    database: Database,
    *,
    account_id: str,
    session_id: str,
    code: str,
    browser: Browser,
    again: bool = False,
    remember: bool = False,
) -> SignedIn:
    """Confirm a live session with a second step; its secret changes, its id stays.

    `again`: the step also counts as signing in once more (prompt=login, max_age). Raises Throttled, WrongCode.
    """
    with transaction(database) as db:
        device = devices.find(db, browser.device_secret)
        key = attempts.key_for(db, "code", account_id=account_id, device_id=device.id if device else None)
        if not _cannot_be_guessed(code):
            attempts.count(db, key)
    with transaction(database) as db:
        kind = second_factor.verify(db, account_id, code)
        session = db.get(Session, session_id)
        if kind is None or session is None or session.account_id != account_id or session.ended_at is not None:
            raise WrongCode(Event("accounts.factor.refused", account=account_id, outcome="refused", session=session_id))
        attempts.forget(db, key)
        return stepped_up(db, session, kind=kind, browser=browser, again=again, remember=remember)


def _cannot_be_guessed(code: str) -> bool:
    """Say whether this is meant as a recovery code: 80 random bits need no counter (SP 800-63B-4, 3.1.2.2).

    So a stranger who has the password and uses up the tries of the six digits cannot close the owner's way in.
    """
    typed = "".join(code.split()).replace("-", "")
    return len(typed) == 16 and typed.isascii() and typed.isalnum()


def still_live(db: Db, session_id: str) -> Session:
    """Return a session that was live a moment ago, in another transaction; raise NotSignedIn when it ended since."""
    session = db.get(Session, session_id)
    if session is None or not sessions.alive(session, configuration.current(db).clocks, clock.now()):
        raise NotSignedIn
    return session


def stepped_up(
    db: Db, session: Session, *, kind: str, browser: Browser, again: bool = False, remember: bool = False
) -> SignedIn:
    """Give a session the strength of a second step that was just proved; `remember` this device until its limit."""
    acr, amr = PROVEN_BY[kind]
    secret = sessions.strengthen(db, session, acr=acr, amr=amr, signed_in_again=again)
    account = db.get(Account, session.account_id)
    assert account is not None
    given = devices.seen(db, browser.device_secret, browser.user_agent)
    until = session.expires_at if remember and may_remember(db, account.id) else None
    devices.remember(db, account.id, given.device.id, until=until, used=session.factor_time)
    session.device_id = given.device.id
    db.add(session)
    details = {"kind": kind}
    log.record(db, Event("accounts.factor.confirmed", account=account.id, session=session.id, details=details))
    return SignedIn(account, session, secret, given.secret)
