"""A login that seems to be another person's at its organization now: refused until somebody resolves it.

An organization may give an old subject to a new employee. A new e-mail address or a new name alone says nothing
(invariant 3: people marry, and move between mail systems). Both replaced at once, with not one word of the old name
left, is what a handed-on login looks like; then the login is held, whatever it opened ends, and the owner (signed
in with another login) or access support says whose it is.
"""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import sessions
from idp.accounts.tables import Login
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Conflict, Refused
from idp.notices import outbox
from idp.signals import epochs

ORGANIZATION = "organization"
"""Why a login is held that its own organization told us to hold; only it, or access support, lets it in again."""

SECURITY = "security"
"""Why a login is held that the security desk held; only access support lets it in again."""


class LoginHeld(Refused):
    """The login is held: it seems to belong to somebody else there now."""

    status = 403
    code = "login_held"
    title = "We can't tell whose login this is"


def seems_another(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> bool:
    """Say whether the facts of a login went over to somebody else: name and e-mail both, with nothing kept."""
    if not before:
        return False
    names = [_words(facts.get("name")) for facts in (before, now)]
    mails = [str(facts.get("email") or "").strip().casefold() for facts in (before, now)]
    if not all(names) or not all(mails):
        return False
    return not names[0] & names[1] and mails[0] != mails[1]


def _words(name: object) -> frozenset[str]:
    text = unicodedata.normalize("NFKD", str(name or "")).casefold()
    letters = "".join(c if c.isalpha() else " " for c in text if not unicodedata.combining(c))
    return frozenset(word for word in letters.split() if len(word) > 1)


def refuse(db: Db, login: Login, facts: Mapping[str, Any], *, organization: str) -> LoginHeld:
    """Return the refusal of a login that is held, or is to be held from now on (which the refusal does)."""
    event = Event(
        "accounts.login.refused",
        account=login.account_id,
        outcome="refused",
        reason="login_held",
        details={"login": login.id, "upstream": login.upstream_id},
    )
    then = [partial(log.record, event=event)]
    if login.held_at is None:
        then.append(partial(hold, login_id=login.id, facts=dict(facts), organization=organization))
    help_at = configuration.current(db).insurer.help_phone
    if login.held_because == ORGANIZATION:
        return LoginHeld(
            f"{organization} told us that this login must not be used. Your account goes on: sign in with another "
            f"login of yours, or ask {organization}. Questions: {help_at}.",
            then=(partial(log.record, event=event),),
            page="login/held.html",
            context={"organization": organization},
        )
    if login.held_because == SECURITY:
        return LoginHeld(
            f"This login is paused while we look into its use. Your account goes on: sign in with another login of "
            f"yours, or call {help_at}.",
            then=(partial(log.record, event=event),),
            page="login/held.html",
            context={"organization": organization},
        )
    return LoginHeld(
        f"{organization} tells us another name and another e-mail for this login than before, so we did not sign "
        f"you in. If it is still yours, sign in with another login of yours and confirm it under Logins, or call "
        f"{help_at}.",
        then=tuple(then),
        page="login/held.html",
        context={"organization": organization},
    )


def hold(db: Db, login_id: str, facts: Mapping[str, Any], organization: str) -> None:
    """Hold a login: it opens nothing, and what it opened ends. The account and its other logins go on."""
    login = db.get(Login, login_id, with_for_update=True, populate_existing=True)
    if login is None or login.held_at is not None or login.ended_at is not None:
        return
    login.held_at, login.held_facts = clock.now(), dict(facts)
    db.add(login)
    db.flush()
    event = Event("accounts.login.held", account=login.account_id, details={"login": login_id})
    log.record(db, event)
    sessions.end_all_of_login(db, login_id, because="login_held", by="system")
    epochs.changed_account(db, login.account_id)
    outbox.send(db, login.account_id, "login_held", {"login": organization})


def hold_for_organization(db: Db, login_id: str, organization: str) -> bool:
    """Hold a login because its own organization told us to; return False when it, or the security desk, had before."""
    login = db.get(Login, login_id, with_for_update=True, populate_existing=True)
    if login is None or login.ended_at is not None or login.held_because in (ORGANIZATION, SECURITY):
        return False  # what the security desk holds, no organization lets in again: only access support does
    login.held_at, login.held_because = login.held_at or clock.now(), ORGANIZATION
    db.add(login)
    db.flush()
    event = Event("accounts.login.held", account=login.account_id, reason=ORGANIZATION, details={"login": login_id})
    log.record(db, event)
    sessions.end_all_of_login(db, login_id, because="login_held", by="system")
    epochs.changed_account(db, login.account_id)
    outbox.send(db, login.account_id, "login_stopped", {"login": organization})
    return True


def hold_for_security(db: Db, login_id: str, *, by: str) -> bool:
    """Hold a login at the security desk's word; return False when it did so before, or the login is ended.

    Only access support lifts it: a hold that its organization or its owner could lift becomes the desk's.
    """
    login = db.get(Login, login_id, with_for_update=True, populate_existing=True)
    if login is None or login.ended_at is not None or login.held_because == SECURITY:
        return False
    login.held_at, login.held_because = login.held_at or clock.now(), SECURITY
    db.add(login)
    db.flush()
    event = Event(
        "accounts.login.held", account=login.account_id, reason=SECURITY, details={"login": login_id, "by": by}
    )
    log.record(db, event)
    sessions.end_all_of_login(db, login_id, because="login_held", by=by)
    epochs.changed_account(db, login.account_id)
    return True


def still_stopped(db: Db, login: Login) -> None:
    """Hold a login that is about to be added as it was held when it was removed, by whoever had stopped it.

    Otherwise removing it and adding it again, here or at another account, would let it in.
    """
    before = db.exec(
        select(Login)
        .where(
            col(Login.upstream_id) == login.upstream_id,
            col(Login.issuer) == login.issuer,
            col(Login.subject) == login.subject,
            col(Login.ended_at).is_not(None),
        )
        .order_by(col(Login.ended_at).desc())
    ).first()
    if before is not None and before.held_because is not None:
        login.held_at, login.held_because = before.held_at, before.held_because


def let_in_again(db: Db, upstream_id: str, issuer: str, subject: str, before: datetime) -> None:
    """Forget that an organization stopped a login, by then, that was removed since: it may be added again."""
    db.execute(
        update(Login)
        .where(
            col(Login.upstream_id) == upstream_id,
            col(Login.issuer) == issuer,
            col(Login.subject) == subject,
            col(Login.ended_at).is_not(None),
            col(Login.held_because) == ORGANIZATION,
            col(Login.held_at) <= before,
        )
        .values(held_because=None)
    )


def release(db: Db, login: Login, *, by: str, because: str) -> None:
    """Let a held login in again: its owner, or access support, said that it is the same person's. Raises Conflict."""
    if login.held_at is None or login.ended_at is not None:
        raise Conflict("This login is not held.")
    told = login.held_because == ORGANIZATION
    if login.held_facts is not None or login.held_because is None:
        login.facts, login.facts_at = dict(login.held_facts or {}), login.held_at
    login.held_at, login.held_facts, login.held_because = None, None, None
    db.add(login)
    db.flush()
    event = Event("accounts.login.released", account=login.account_id, reason=because, details={"login": login.id})
    log.record(db, event)
    epochs.changed_account(db, login.account_id)
    if told:
        outbox.send(db, login.account_id, "login_works_again", {"login": login.issuer})
