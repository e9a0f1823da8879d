"""Local logins: a user name here and its password."""

import unicodedata

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import sessions, teams
from idp.accounts.passwords import Hashed
from idp.accounts.tables import Login, Password
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.database.lane import Sql, Work
from idp.errors import Conflict, Invalid, NotFound
from idp.notices import outbox
from idp.signals import credentials, epochs


def normalised_name(typed: str) -> str:
    """Return the one form of a user name for uniqueness, look-up and counters (security.md 39)."""
    return unicodedata.normalize("NFKC", typed).strip().casefold()


def check_name(typed: str) -> str:
    """Return a user name's one form, or raise Invalid: it has to name a person, not a team (T-19)."""
    name = normalised_name(typed)
    plain = all(c.isalnum() or c in "._-@+" for c in name)
    if not (3 <= len(name) <= 128 and plain):
        raise Invalid(fields={"user_name": "Use 3 to 128 letters, digits, periods, hyphens or @."})
    own = name.partition("@")[0]
    if teams.names_a_team(own) or teams.names_a_team(own.translate({ord(c): None for c in "._-+0123456789"})):
        raise Invalid(fields={"user_name": "A user name belongs to one person. Choose one with your own name."})
    return name


def find(db: Db, user_name: str) -> tuple[Login, Password] | None:
    """Return the live login of a user name and its password."""
    row = db.exec(
        select(Login, Password)
        .join(Password, col(Password.login_id) == col(Login.id))
        .where(
            col(Login.issuer) == of(db).settings.issuer,
            col(Login.subject) == normalised_name(user_name),
            col(Login.ended_at).is_(None),
        )
    ).one_or_none()
    return (row[0], row[1]) if row else None


def add(db: Db, account_id: str, user_name: str, password: Hashed) -> Login:
    """Give an account a user name and a password that was hashed before. Raises Invalid, Conflict."""
    name = check_name(user_name)
    login = Login(account_id=account_id, issuer=of(db).settings.issuer, subject=name)
    try:
        with db.begin_nested():
            db.add(login)
            db.flush()
    except IntegrityError:
        raise Conflict("That user name is taken. Choose another one.") from None
    db.add(Password(login_id=login.id, hash=password))
    db.flush()
    log.record(db, Event("accounts.login.linked", account=account_id, details={"login": login.id, "kind": "local"}))
    epochs.changed_account(db, account_id)
    outbox.send(db, account_id, "login_linked", {"login": "Your user name and password"})
    return login


def of_account(db: Db, account_id: str) -> tuple[Login, Password] | None:
    """Return an account's local login, if it has one."""
    row = db.exec(
        select(Login, Password)
        .join(Password, col(Password.login_id) == col(Login.id))
        .where(col(Login.account_id) == account_id, col(Login.ended_at).is_(None))
        .order_by(col(Login.linked_at))
    ).first()
    return (row[0], row[1]) if row else None


_UNCHANGED = Sql("UPDATE password SET changed_at = $2 WHERE login_id = $1 AND changed_at = $2 RETURNING 1")


def unchanged(login_id: str, since: int | None) -> Work:
    """Say whether a password is still the one chosen then, and hold it so until the commit, in either lane.

    A change ends every session, so one that the old password opens must either come before it or not at all.
    """
    rows = yield _UNCHANGED, (login_id, since)
    return bool(rows)


def change_password(db: Db, account_id: str, password: Hashed, *, keep_session: str | None) -> int:
    """Replace a password whose present value the person has just proved; end other sessions. Returns how many.

    Raises NotFound for an account without a local login.
    """
    found = of_account(db, account_id)
    if found is None:
        raise NotFound
    _login, stored = found
    stored.hash = password
    stored.changed_at = clock.now()
    db.add(stored)
    db.flush()
    log.record(db, Event("accounts.password.changed", account=account_id))
    credentials.changed(db, account_id, "password", "update")
    epochs.changed_account(db, account_id)
    outbox.send(db, account_id, "password_changed", {})
    return sessions.end_all(db, account_id, because="password_changed", by=account_id, keep=keep_session)
