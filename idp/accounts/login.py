"""Prove who somebody is, and open their session: by password, by an outside login, by a second step.

Passwords take three short transactions instead of one long one: count the try, hash outside of any
transaction (25 ms during which nobody else could write), then record what came of it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import attempts, devices, local_logins, moved, new_device, passwords, second_factor, sessions
from idp.accounts.assertion import Assertion
from idp.accounts.assurance import AAL1, AAL2, PHR, meets, weaker
from idp.accounts.passwords import Hashed
from idp.accounts.tables import Account, Login, Password, Session
from idp.audit import log
from idp.audit.events import Event
from idp.database import Database, of, transaction
from idp.database.lane import drive
from idp.errors import Invalid, NotSignedIn, Refused


class WrongPassword(NotSignedIn):
    """The pair was not right; which half is never told."""

    code = "wrong_password"
    title = "That did not work"

    def __init__(self, event: Event) -> None:
        super().__init__(
            "That user name and password don't match. Try again, or sign in another way.",
            then=(partial(log.record, event=event),),
        )


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


class OnHold(Refused):
    """The proof was right; the account is on hold or closed."""

    status = 403
    code = "account_inactive"
    title = "Your account is on hold"


class PasskeyAlone(Refused):
    """The passkey was right; this person signs in through an organization first."""

    status = 422
    code = "passkey_alone"
    title = "Sign in with your organization first"

    def __init__(self, **more: Any) -> None:
        super().__init__(
            "This passkey is your second step. Sign in with your organization's login first, then use it.", **more
        )


class Ceased(Refused):
    """The proof was right; the person's access has ended (RU-9: later sign-in explains)."""

    status = 403
    code = "eligibility_ceased"
    title = "Your access ended"


@dataclass(frozen=True, slots=True)
class Browser:
    """What tells this browser from others: the device cookie and what it calls itself."""

    device_secret: str | None = None
    user_agent: str | None = None
    channel: str = "site"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who has just proved a login."""

    account: Account
    session: Session
    secret: str
    """For the session cookie."""
    device_secret: str | None
    """For the device cookie, where one was made."""


def by_password(
    database: Database, *, user_name: str, password: str, browser: Browser, replaces: Session | None = None
) -> SignedIn:
    """Sign in with a user name and password.

    Raises Throttled, WrongPassword (the same for a name nobody has), OnHold, TooMany when hashing is overrun.
    """
    with transaction(database) as db:
        found = local_logins.find(db, user_name)
        device = devices.find(db, browser.device_secret)
        key = attempts.key_for(
            db,
            "password",
            account_id=found[0].account_id if found else None,
            name=local_logins.normalised_name(user_name)[:256],
            device_id=device.id if device else None,
        )
        attempts.count(db, key)
        tried = Tried(
            key,
            account_id=found[0].account_id if found else None,
            login_id=found[0].id if found else None,
            stored=found[1].hash if found else None,
            since=clock.micros(found[1].changed_at) if found else None,
        )
        limits = configuration.current(db).passwords
    good, better = passwords.verify(database, password, tried.stored, limits)
    return after_password(database, tried, good=good, better=better, browser=browser, replaces=replaces)


@dataclass(frozen=True, slots=True)
class Tried:
    """A try with a password that was counted: whose it is, if anybody's."""

    key: str
    account_id: str | None
    login_id: str | None
    stored: str | None = field(repr=False)
    since: int | None
    """When the password that is stored was chosen; a hash may be renewed, this changes with the password alone."""


def after_password(
    database: Database,
    tried: Tried,
    *,
    good: bool,
    better: Hashed | None,
    browser: Browser,
    replaces: Session | None = None,
) -> SignedIn:
    """Record what came of a counted try once the hash is known: refuse, or open a session.

    Raises WrongPassword, OnHold, Ceased.
    """
    with transaction(database) as db:
        if tried.login_id is None or tried.stored is None or not good:
            raise WrongPassword(
                Event("accounts.login.refused", account=tried.account_id, outcome="refused", reason="wrong_password")
            )
        attempts.forget(db, tried.key)
        login = db.get(Login, tried.login_id)
        if login is None or login.ended_at is not None:  # removed while we were hashing
            raise WrongPassword(
                Event("accounts.login.refused", account=tried.account_id, outcome="refused", reason="login_removed")
            )
        if not drive(db, local_logins.unchanged(tried.login_id, tried.since)):
            raise WrongPassword(
                Event("accounts.login.refused", account=tried.account_id, outcome="refused", reason="password_changed")
            )
        if better is not None:
            _rehash(db, login, tried.stored, better)
        return _open(db, login, acr=AAL1, amr=["pwd"], browser=browser, replaces=replaces)


def prove_password(database: Database, account_id: str, password: str, browser: Browser) -> None:
    """Require an account's present password before it is changed; counted like any try. Raises Invalid, Throttled."""
    with transaction(database) as db:
        found = local_logins.of_account(db, account_id)
        device = devices.find(db, browser.device_secret)
        key = attempts.key_for(db, "password", account_id=account_id, device_id=device.id if device else None)
        attempts.count(db, key)
        limits = configuration.current(db).passwords
    good, _ = passwords.verify(database, password, found[1].hash if found else None, limits)
    with transaction(database) as db:
        if not good:
            event = Event("accounts.login.refused", account=account_id, outcome="refused", reason="wrong_password")
            sentence = "That is not your present password."
            raise Invalid(fields={"password": sentence}, then=(partial(log.record, event=event),))
        attempts.forget(db, key)


def by_assertion(db: Db, assertion: Assertion, *, browser: Browser, replaces: Session | None = None) -> SignedIn | None:
    """Sign in with an outside login: the one account that has this live (issuer, subject), else None.

    Nothing else of the assertion is ever compared with an account (security.md 27, 28).
    """
    login = db.exec(
        select(Login).where(
            col(Login.issuer) == assertion.issuer,
            col(Login.subject) == assertion.subject,
            col(Login.upstream_id) == assertion.upstream_id,
            col(Login.ended_at).is_(None),
        )
    ).one_or_none()
    if login is None:
        return None
    if login.held_at is not None or moved.seems_another(login.facts, assertion.facts):
        raise moved.refuse(db, login, assertion.facts, organization=assertion.organization)
    login.facts, login.facts_at = dict(assertion.facts), clock.now()
    received = {"facts": sorted(assertion.facts), "left_out": list(assertion.left_out)}
    event = Event(
        "accounts.facts.received",
        account=login.account_id,
        details={"upstream": assertion.upstream_id, **received},
    )
    log.record(db, event)
    return _open(
        db,
        login,
        acr=assertion.acr if login.ceiling is None else weaker(assertion.acr, login.ceiling),
        amr=list(assertion.amr),
        browser=browser,
        replaces=replaces,
        assertion=assertion,
    )


def by_new_login(db: Db, login: Login, *, browser: Browser) -> SignedIn:
    """Sign in the person who has just been given a user name and password in this very transaction."""
    return _open(db, login, acr=AAL1, amr=["pwd"], browser=browser, replaces=None)


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


def by_passkey(db: Db, account_id: str, *, browser: Browser, replaces: Session | None = None) -> SignedIn:
    """Sign in the person whose passkey has just been proved, with its user verified, in this very transaction.

    Only beside a user name of ours: who comes through an organization's login comes through it each time, so that
    the organization's standing is asked (security.md 35). Raises PasskeyAlone, OnHold, Ceased.
    """
    found = local_logins.of_account(db, account_id)
    if found is None:
        event = Event("accounts.login.refused", account=account_id, outcome="refused", reason="passkey_alone")
        raise PasskeyAlone(then=(partial(log.record, event=event),))
    acr, amr = PROVEN_BY["passkey"]
    return _open(db, found[0], acr=acr, amr=amr, browser=browser, replaces=replaces, factor_time=clock.now())


def may_remember(db: Db, account_id: str) -> bool:
    """Say whether this person may have a device remembered: managers and staff use their second step each time."""
    return not second_factor.needs_factor(db, account_id)


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


_CAUSES = {
    "left": "because you told us that you no longer work there",
    "not_eligible": "because you told us that you no longer qualify",
    "closed": "because you closed your account",
}


def _ended(db: Db, account: Account) -> str:
    """Say when and why access ended, as its owner may know it (RU-9: later sign-in explains)."""
    if account.ceased_at is None:
        return "Your access ended."
    day = account.ceased_at.astimezone(ZoneInfo(of(db).settings.time_zone))
    cause = _CAUSES.get(account.ceased_because or "", "because we were told that you no longer qualify")
    return f"Your access ended on {day:%b} {day.day}, {day.year} {cause}."


def _rehash(db: Db, login: Login, old: str, new: Hashed) -> None:
    db.execute(update(Password).where(col(Password.login_id) == login.id, col(Password.hash) == old).values(hash=new))
    log.record(db, Event("accounts.password.rehashed", account=login.account_id))


def _open(
    db: Db,
    login: Login,
    *,
    acr: str,
    amr: list[str],
    browser: Browser,
    replaces: Session | None,
    assertion: Assertion | None = None,
    factor_time: datetime | None = None,
) -> SignedIn:
    account = db.get(Account, login.account_id)
    assert account is not None
    if account.status in ("suspended", "closed"):
        event = Event("accounts.login.refused", account=account.id, outcome="refused", reason="account_inactive")
        help_at = configuration.current(db).insurer.help_phone
        raise OnHold(
            f"Your account is on hold. Your information is kept. To ask why, call {help_at}.",
            then=(partial(log.record, event=event),),
        )
    if account.status == "ceased":
        event = Event("accounts.login.refused", account=account.id, outcome="refused", reason="eligibility_ceased")
        help_at = configuration.current(db).insurer.help_phone
        raise Ceased(
            f"{_ended(db, account)} If that is wrong, ask an access manager of your practice, or call {help_at}.",
            then=(partial(log.record, event=event),),
        )
    now = clock.now()
    login.last_used_at = now
    db.add(login)
    given = devices.seen(db, browser.device_secret, browser.user_agent)
    new_device.tell(db, account.id, given.device.id, browser.user_agent)
    until = None
    if assertion is not None and meets(acr, AAL2):
        factor_time = assertion.auth_time
    elif not meets(acr, AAL2):
        remembered = devices.remembered(db, account.id, given.device.id)
        if remembered is not None and may_remember(db, account.id):
            acr, amr, factor_time, until = AAL2, [*amr, "mfa"], remembered.factor_at, remembered.remembered_until
    if meets(acr, AAL2) or not second_factor.has(db, account.id):
        # A right password alone does not make a device known where a second step is to follow.
        devices.remember(db, account.id, given.device.id)
    opened = sessions.open_session(
        db,
        account_id=account.id,
        login_id=login.id,
        acr=acr,
        amr=amr,
        auth_time=assertion.auth_time if assertion else now,
        factor_time=factor_time,
        until=until,
        partner_id=assertion.partner_id if assertion else None,
        upstream_sid=assertion.upstream_sid if assertion else None,
        device_id=given.device.id,
        channel=browser.channel,
        replaces=replaces,
    )
    log.record(
        db,
        Event(
            "accounts.login.succeeded",
            account=account.id,
            session=opened.session.id,
            channel=browser.channel,
            details={"login": login.id, "upstream": login.upstream_id, "acr": acr, "amr": amr},
        ),
    )
    return SignedIn(account, opened.session, opened.secret, given.secret)
