"""Several logins, one account: added only with proof of an existing one, never matched by e-mail.

An outside login nobody knows yet becomes a pending link, bound to this browser, this journey and the upstream's
subject, good once and for ten minutes (security.md 27 to 29). It turns into a login when its owner has
signed in with an existing login in the same browser, or opens an invitation.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import CursorResult, text, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import journal, moved, people, second_factor, sessions
from idp.accounts.assertion import Assertion
from idp.accounts.assurance import AAL2
from idp.accounts.flows import browser_hash
from idp.accounts.tables import Login, PendingLink, Session
from idp.audit import log
from idp.audit.events import Event
from idp.errors import Conflict, NotFound, NotSignedIn, Refused, StepUp
from idp.notices import outbox
from idp.signals import epochs


class LinkLost(Refused):
    """The proof of the outside login is gone: used, too old, or made in another browser."""

    status = 400
    code = "link_lost"
    title = "This can't go on here"

    def __init__(self) -> None:
        super().__init__(
            "This was started in another browser, was finished already, or took too long. Start again here."
        )


class AlreadySomebodys(Conflict):
    """The login opens an account already; which one is not told."""

    code = "login_taken"

    def __init__(self) -> None:
        super().__init__(
            "This login already opens an account. If both accounts are yours, make them one under Logins. "
            "Otherwise sign in with it, or remove it there first."
        )


class SignInAgain(NotSignedIn):
    """The sign-in lies too far back, and there is no second step to confirm it with."""

    code = "sign_in_again"


def hold(
    db: Db, assertion: Assertion, *, browser: str, flow_id: str | None, account_id: str | None = None
) -> PendingLink:
    """Keep a proved outside login until an existing login is proved too.

    `account_id` names the one account that may take it, where adding it began in a session of that account.
    """
    pending = PendingLink(
        upstream_id=assertion.upstream_id,
        issuer=assertion.issuer,
        subject=assertion.subject,
        browser_hash=browser_hash(browser),
        flow_id=flow_id,
        facts=assertion.facts,
        acr=assertion.acr,
        amr=list(assertion.amr),
        auth_time=assertion.auth_time,
        account_id=account_id,
        expires_at=clock.now() + configuration.current(db).clocks.link_proof,
    )
    db.add(pending)
    db.flush()
    return pending


def find(db: Db, pending_id: str, *, browser: str | None, flow_id: str | None) -> PendingLink:
    """Return the pending link of this browser and journey; raise LinkLost otherwise."""
    pending = db.get(PendingLink, pending_id)
    if (
        pending is None
        or browser is None
        or pending.browser_hash != browser_hash(browser)
        or pending.flow_id != flow_id
        or pending.spent_at is not None
        or clock.now() >= pending.expires_at
    ):
        raise LinkLost
    return pending


def require_fresh_proof(db: Db, session: Session) -> None:
    """Require that this session's person signed in, with their second step if they have one, minutes ago."""
    clocks = configuration.current(db).clocks
    has_factor = second_factor.has(db, session.account_id)
    proved = session.factor_time if has_factor else session.auth_time
    if proved is not None and clock.now() < proved + clocks.link_proof:
        return
    sentence = "Confirm it's you to change your logins. You come straight back to this page."
    if has_factor:
        raise StepUp(sentence, acr=AAL2, max_age=int(clocks.link_proof.total_seconds()))
    raise SignInAgain(sentence)


def confirm(db: Db, pending: PendingLink, session: Session, *, organization: str = "") -> Login:
    """Add the proved outside login to the account that was proved in the same browser."""
    require_fresh_proof(db, session)
    if pending.account_id is not None and pending.account_id != session.account_id:
        raise LinkLost
    spend(db, pending, by=session.account_id)
    return link(
        db,
        session.account_id,
        upstream_id=pending.upstream_id,
        issuer=pending.issuer,
        subject=pending.subject,
        facts=pending.facts,
        organization=organization,
        ceiling=session.acr,
        by=session.account_id,
        proof={"session": session.id, "login": session.login_id, "pending": pending.id, "acr": session.acr},
    )


def spend(db: Db, pending: PendingLink, *, by: str) -> None:
    """Use a pending link up, once; raise LinkLost where somebody was first."""
    spent = db.execute(
        update(PendingLink)
        .where(
            col(PendingLink.id) == pending.id,
            col(PendingLink.spent_at).is_(None),
            col(PendingLink.expires_at) > clock.now(),
        )
        .values(spent_at=clock.now(), account_id=by)
    )
    assert isinstance(spent, CursorResult)
    if spent.rowcount != 1:
        raise LinkLost


def link(
    db: Db,
    account_id: str,
    *,
    upstream_id: str,
    issuer: str,
    subject: str,
    facts: Mapping[str, Any] | None = None,
    organization: str = "",
    ceiling: str | None = None,
    by: str = "system",
    proof: dict[str, Any] | None = None,
) -> Login:
    """Add an outside login to an account; one login belongs to at most one account (invariant 1).

    `ceiling`: the strength of the sign-in that added it, which it never exceeds. Otherwise whoever holds only the
    password could make themselves stronger by adding a strong login of their own.
    """
    login = Login(
        account_id=account_id,
        upstream_id=upstream_id,
        issuer=issuer,
        subject=subject,
        facts=dict(facts or {}),
        facts_at=clock.now() if facts else None,
        ceiling=ceiling,
    )
    moved.still_stopped(db, login)
    try:
        with db.begin_nested():
            db.add(login)
            db.flush()
    except IntegrityError:
        raise AlreadySomebodys from None
    entry = journal.note(db, "linked", account_id=account_id, login_id=login.id, by=by, proof=proof)
    details = {"login": login.id, "upstream": upstream_id, "facts": sorted(login.facts or {}), "journal": entry.id}
    log.record(db, Event("accounts.login.linked", account=account_id, details=details, personal={"subject": subject}))
    epochs.changed_account(db, account_id)
    outbox.send(db, account_id, "login_linked", {"login": organization or issuer})
    return login


def logins(db: Db, account_id: str) -> list[Login]:
    """Return an account's live logins, oldest first."""
    return list(
        db.exec(
            select(Login)
            .where(col(Login.account_id) == account_id, col(Login.ended_at).is_(None))
            .order_by(col(Login.linked_at), col(Login.id))
        )
    )


_USABLE = text(
    "SELECT l.id FROM login l LEFT JOIN upstream u ON u.id = l.upstream_id LEFT JOIN partner p ON p.id = u.partner_id "
    "WHERE l.account_id = :a AND l.ended_at IS NULL AND l.held_at IS NULL AND (l.upstream_id IS NULL OR "
    "(u.status = 'active' AND p.status IN ('active', 'review_overdue') "
    "AND 0 <> COALESCE((SELECT max(CASE WHEN pp.active THEN 1 ELSE 0 END) FROM partner_person pp "
    "WHERE pp.partner_id = p.id AND pp.external_id = l.subject), 1)))"
)
"""Logins that open the account today: not held, their organization trusted, which has not turned the person off.

Organizations' own lists of people belong to a layer above; they are asked by name.
"""


def usable(db: Db, account_id: str) -> set[str]:
    """Return the ids of the logins that would open this account now."""
    return {str(row[0]) for row in db.execute(_USABLE, {"a": account_id})}


def unlink(db: Db, account_id: str, login_id: str, *, by: str, because: str = "removed", name: str = "A login") -> None:
    """Remove a login at once, and the sessions it opened. The last usable one cannot go (RU-4, security.md 37).

    The account is locked first, so two removals at once cannot leave none.
    """
    people.lock(db, account_id)
    live = logins(db, account_id)
    if login_id not in {one.id for one in live}:
        raise NotFound
    if any(one.id == login_id and one.held_because is not None for one in live):
        raise Conflict("This login is stopped, and opens nothing. Who stopped it has to look at it first: call us.")
    if len(live) == 1:
        raise Conflict("This is your only login. Add another one first, then remove this one.")
    if not usable(db, account_id) - {login_id}:
        raise Conflict("Your other logins are paused, so this one stays. Add another one first, then remove this one.")
    take_off(db, login_id, by=by, because=because, name=name)


def take_off(db: Db, login_id: str, *, by: str, because: str, name: str = "A login") -> None:
    """End a login and what it opened, whatever else the account has: for access support and the undoing of links."""
    login = db.get(Login, login_id)
    assert login is not None
    account_id = login.account_id
    login.ended_at = clock.now()
    login.end_reason = because
    db.add(login)
    db.flush()
    entry = journal.note(db, "unlinked", account_id=account_id, login_id=login_id, by=by, because=because)
    details = {"login": login.id, "by": by, "journal": entry.id}
    log.record(db, Event("accounts.login.unlinked", account=account_id, reason=because, details=details))
    sessions.end_all_of_login(db, login_id, because="login_removed", by=by)
    epochs.changed_account(db, account_id)
    outbox.send(db, account_id, "login_unlinked", {"login": name})


def masked(address: object) -> str:
    """Show an outside e-mail as "a...@evergreen.example" (ui.md 4.8)."""
    name, at, domain = str(address or "").rpartition("@")
    return f"{name[:1]}...@{domain}" if at and name else ""
