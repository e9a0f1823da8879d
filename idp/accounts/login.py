"""Prove who somebody is: by password, by an outside login, by a passkey; the session opens in `opening`.

Passwords take three short transactions instead of one long one: count the try, hash outside of any
transaction (25 ms during which nobody else could write), then record what came of it.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import attempts, devices, local_logins, moved, passwords
from idp.accounts.assertion import Assertion
from idp.accounts.assurance import AAL1, capped
from idp.accounts.opening import Browser, SignedIn, open_session
from idp.accounts.passwords import Hashed
from idp.accounts.stepping_up import PROVEN_BY
from idp.accounts.tables import Login, Password, Session
from idp.audit import log
from idp.audit.events import Event
from idp.database import Database, transaction
from idp.database.lane import drive
from idp.errors import Invalid, NotSignedIn, Refused


class WrongPassword(NotSignedIn):
    """The pair was not right; which half is never told."""

    code = "wrong_password"
    title = "That did not work"

    def __init__(self, event: Event) -> None:
        self.event = event
        """For the lane, which records it in a group of its own."""
        super().__init__(
            "That user name and password don't match. Try again, or sign in another way.",
            then=(partial(log.record, event=event),),
        )


class PasskeyAlone(Refused):
    """The passkey was right; this person signs in through an organization first."""

    status = 422
    code = "passkey_alone"
    title = "Sign in with your organization first"

    def __init__(self, **more: Any) -> None:
        super().__init__(
            "This passkey is your second step. Sign in with your organization's login first, then use it.", **more
        )


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


def wrong(tried: Tried) -> WrongPassword:
    """Return the refusal of a password that is not the stored one, or of a name nobody has."""
    return WrongPassword(
        Event("accounts.login.refused", account=tried.account_id, outcome="refused", reason="wrong_password")
    )


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
            raise wrong(tried)
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
        return open_session(db, login, acr=AAL1, amr=["pwd"], browser=browser, replaces=replaces)


def _rehash(db: Db, login: Login, old: str, new: Hashed) -> None:
    db.execute(update(Password).where(col(Password.login_id) == login.id, col(Password.hash) == old).values(hash=new))
    log.record(db, Event("accounts.password.rehashed", account=login.account_id))


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
    log.record(db, received(assertion, login.account_id))
    return open_session(
        db,
        login,
        acr=capped(assertion.acr, login.ceiling),
        amr=list(assertion.amr),
        browser=browser,
        replaces=replaces,
        assertion=assertion,
    )


def received(assertion: Assertion, account_id: str) -> Event:
    """Return the event of an organization's facts about a person: their names alone (T-28)."""
    told = {"facts": sorted(assertion.facts), "left_out": list(assertion.left_out)}
    details = {"upstream": assertion.upstream_id, **told}
    return Event("accounts.facts.received", account=account_id, details=details)


def by_new_login(db: Db, login: Login, *, browser: Browser) -> SignedIn:
    """Sign in the person who has just been given a user name and password in this very transaction."""
    return open_session(db, login, acr=AAL1, amr=["pwd"], browser=browser, replaces=None)


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
    return open_session(db, found[0], acr=acr, amr=amr, browser=browser, replaces=replaces, factor_time=clock.now())
