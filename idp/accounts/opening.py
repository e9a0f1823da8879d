"""Open the session of somebody who has just proved a login; whoever may not come in is told why.

Every way of signing in ends here: an account on hold or ended is refused after the proof, never before it.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.accounts import devices, new_device, second_factor, sessions
from idp.accounts.assertion import Assertion
from idp.accounts.assurance import AAL2, meets
from idp.accounts.tables import Account, Login, Session
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import Refused
from idp.notices import saying


class OnHold(Refused):
    """The proof was right; the account is on hold or closed."""

    status = 403
    code = "account_inactive"
    title = "Your account is on hold"


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


def open_session(
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
    """Open the session a proved login entitles to, a remembered second step included. Raises OnHold, Ceased."""
    account = db.get(Account, login.account_id)
    assert account is not None
    if said := out(db, account):
        refusal, reason = (Ceased, "eligibility_ceased") if account.status == "ceased" else (OnHold, "account_inactive")
        event = Event("accounts.login.refused", account=account.id, outcome="refused", reason=reason)
        raise refusal(said, then=(partial(log.record, event=event),))
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


def out(db: Db, account: Account) -> str:
    """Say to its owner, and nobody else, why nobody signs in to an account; empty while it is open."""
    if account.status not in ("suspended", "closed", "ceased"):
        return ""
    help_at = configuration.current(db).insurer.help_phone
    if account.status == "ceased":
        return f"{_ended(db, account)} If that is wrong, ask an access manager of your practice, or call {help_at}."
    return f"Your account is on hold. Your information is kept. To ask why, call {help_at}."


def taken_from(db: Db, secret: str) -> str:
    """Say to the holder of a cookie why their sign-in was ended by others; empty where it was not.

    The secret of the session, ended or not, proves who asks as well as it did while it lived.
    """
    session = db.exec(select(Session).where(col(Session.token_hash) == sessions.hash_of(secret))).one_or_none()
    account = db.get(Account, session.account_id) if session else None
    if session is None or account is None:
        return ""
    if session.ended_at is not None and session.ended_because in _BY_OTHERS and account.status == "active":
        at = saying.moment(session.ended_at, of(db).settings.time_zone)
        return (
            f"Your sign-in was ended on {at}, since your access changed. Sign in again: your home page says what ended."
        )
    return taken(db, account)


def taken(db: Db, account: Account) -> str:
    """Say to its owner why others shut an account off; empty where they did not: closing and merging are one's own."""
    return out(db, account) if account.status in ("suspended", "ceased") else ""


_BY_OTHERS = ("misuse", "affiliation_ended")
"""Why sessions end with a person's access; their account stays open."""


def may_remember(db: Db, account_id: str) -> bool:
    """Say whether this person may have a device remembered: managers and staff use their second step each time."""
    return not second_factor.needs_factor(db, account_id)


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
