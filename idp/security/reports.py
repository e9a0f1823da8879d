"""Take a report of suspected misuse from anybody, lock the account where its owner says so (T-38).

Nobody can lock somebody else: a lock needs the account's own session, or a link that was mailed to its addresses.
What a stranger is answered is the same whether or not the account exists (security.md 9).
"""

import base64
from dataclasses import dataclass

from sqlalchemy import CursorResult, or_, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, entropy
from idp.accounts import attempts, humans, local_logins
from idp.accounts import people as accounts
from idp.accounts.tables import Account, Contact
from idp.audit import log, origin
from idp.audit.events import Event
from idp.cases import holds, opening
from idp.database import of
from idp.errors import Conflict, Invalid, NotFound, TooMany
from idp.leaving import people
from idp.notices import outbox, reading
from idp.notices.tables import Outbox
from idp.security.tables import SecurityReport

LONGEST = 2000
_LOCK = "misuse_reported"
_MOST_MAILED = 3
"""Accounts that one e-mail address may lead to; a fourth person sharing it is told by the third."""


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody typed into the form."""

    form_id: str
    words: str
    about: str = ""
    """User name or e-mail, from somebody who is not signed in."""


def check(told: Told) -> None:
    """Raise Invalid for what can't be taken."""
    problems = {}
    if not told.words:
        problems["words"] = "Say in a sentence what happened."
    elif len(told.words) > LONGEST:
        problems["words"] = f"Use at most {LONGEST} characters."
    if len(told.about) > 254:
        problems["about"] = "Use at most 254 characters."
    if not (16 <= len(told.form_id) <= 64 and told.form_id.isascii()):
        problems["words"] = "Open the page again and send it once more."
    if problems:
        raise Invalid(fields=problems)


def by_owner(db: Db, account_id: str, told: Told, *, lock: bool) -> SecurityReport:
    """Take the report of somebody signed in, about their own account; lock it at once where they say so."""
    check(told)
    found = _already(db, told.form_id)
    if found is not None:
        return found
    report = _write(db, told, reporter=account_id, about_id=account_id, kind="takeover" if lock else "misuse")
    if lock:
        _lock(db, report, account_id)
    else:
        outbox.send(db, account_id, "misuse_reported", {"receipt": report.receipt})
    return report


def by_anybody(db: Db, told: Told) -> SecurityReport:
    """Take the report of somebody we don't know; the account they name, if any, is mailed a link to lock it.

    Raises Invalid, Throttled (by network address).
    """
    check(told)
    found = _already(db, told.form_id)
    if found is not None:
        return found
    attempts.count(db, attempts.key_for(db, "report", account_id=None, name=origin.current().address or ""))
    named = _named(db, told.about)
    report = _write(db, told, reporter=None, about_id=named[0] if len(named) == 1 else None)
    for account_id in named[:_MOST_MAILED]:
        try:
            attempts.count(db, attempts.key_for(db, "report-mail", account_id=None, name=account_id))
        except TooMany:
            continue  # nobody can fill a stranger's mailbox with these; the report stands all the same
        outbox.send(db, account_id, "misuse_reported", {"receipt": report.receipt})
    return report


def _named(db: Db, typed: str) -> list[str]:
    """Return the accounts a user name or a confirmed e-mail leads to."""
    if not typed:
        return []
    login = local_logins.find(db, typed)
    if login is not None:
        return [login[0].account_id]
    try:
        address = accounts.normalised_email(typed)
    except Invalid:
        return []
    found = db.exec(
        select(Contact.account_id)
        .join(Account, col(Account.id) == col(Contact.account_id))
        .where(
            col(Contact.email) == address,
            col(Contact.verified_at).is_not(None),
            col(Account.status) != "closed",
        )
        .order_by(col(Contact.created_at))
        .limit(_MOST_MAILED)
    ).all()
    return list(dict.fromkeys(found))


def of_link(db: Db, token: str) -> Outbox:
    """Return the mail whose "This wasn't me" link this is; raise NotFound for any other, or one a week old."""
    mail = reading.mail_of(db, token)
    if mail is None or mail.account_id is None:
        raise NotFound("This link is not complete, or it is older than a week. Report misuse without it.")
    return mail


def by_link(db: Db, token: str) -> SecurityReport:
    """Lock the account a notice was about, at the word of whoever reads its mail; once for each mail."""
    mail = of_link(db, token)
    assert mail.account_id is not None
    form_id = f"mail:{mail.id}"
    found = _already(db, form_id)
    if found is not None:
        return found
    told = Told(form_id, f'The owner answered the notice "{mail.template}" with: this was not me.')
    # A merge may have closed the account since, or be what the notice tells of: then the one that stayed is locked.
    account_id = humans.survivor(db, mail.account_id)
    report = _write(db, told, reporter=None, about_id=account_id, kind="takeover")
    _lock(db, report, account_id)
    return report


def _already(db: Db, form_id: str) -> SecurityReport | None:
    return db.exec(select(SecurityReport).where(col(SecurityReport.form_id) == form_id)).one_or_none()


def _write(db: Db, told: Told, *, reporter: str | None, about_id: str | None, kind: str = "misuse") -> SecurityReport:
    """Keep the report, and open a case with it (or add it to the open one), in the same transaction (RU-7)."""
    ring = of(db).ring
    report = SecurityReport(
        receipt=_receipt(), form_id=told.form_id, reporter_id=reporter, about_id=about_id, words=b""
    )
    report.words = ring.seal("subjects", f"security_report.words:{report.id}", told.words.encode())
    if told.about:
        report.about = ring.seal("subjects", f"security_report.about:{report.id}", told.about.encode())
    db.add(report)
    db.flush()
    details = {"report": report.id, "kind": report.kind, "signed_in": reporter is not None}
    log.record(db, Event("security.report.made", account=about_id, details=details))
    evidence = {"report": report.id, "receipt": report.receipt, "words": told.words, "typed": told.about}
    by = reporter or "system"
    case = opening.open_case(db, kind=kind, source="report", account_id=about_id, evidence=evidence, by=by)
    report.case_id = case.id
    db.add(report)
    db.flush()
    return report


def _receipt() -> str:
    code = base64.b32encode(entropy.raw(5)).decode()
    return f"MR-{code[:4]}-{code[4:]}"


def _lock(db: Db, report: SecurityReport, account_id: str) -> None:
    """Put the account on hold: sessions, tokens and journeys end with this transaction.

    Where it was on hold already this report locked nothing, so lifting its lock lifts nobody else's.
    """
    by = report.reporter_id or account_id
    if people.suspend(db, account_id, because=_LOCK, by=by):
        report.locked_at = clock.now()
        db.add(report)
        db.flush()
    else:
        people.sign_out(db, account_id, because=_LOCK, by=by)
    outbox.send(db, account_id, "account_locked", {"receipt": report.receipt})


def find_receipt(db: Db, receipt: str) -> SecurityReport:
    """Return the report of a receipt; raise NotFound."""
    found = db.exec(select(SecurityReport).where(col(SecurityReport.receipt) == receipt)).one_or_none()
    if found is None:
        raise NotFound("There is no report with this receipt number.")
    return found


# What security staff do with them.


@dataclass(frozen=True, slots=True)
class Opened:
    """A report with what was typed in the clear."""

    report: SecurityReport
    words: str
    about: str
    account: Account | None


def listed(db: Db, status: str, *, by: str, limit: int = 200) -> list[SecurityReport]:
    """Return reports that are not about the reader, those waiting longest first; closed ones newest first."""
    order, about, own = col(SecurityReport.created_at), col(SecurityReport.about_id), humans.taken_over(by)
    query = select(SecurityReport).where(col(SecurityReport.status) == status, or_(about.is_(None), about.not_in(own)))
    return list(db.exec(query.order_by(order if status == "open" else order.desc()).limit(limit)).all())


def view(db: Db, report_id: str, *, by: str) -> Opened:
    """Open one report; looking is recorded. Raises NotFound, also for one about the reader."""
    report = db.get(SecurityReport, report_id)
    if report is None or report.about_id in humans.same(db, by):
        raise NotFound("There is no report with this id.")
    ring = of(db).ring
    sealed = report.words  # empty once the person's fields were destroyed
    words = ring.open("subjects", f"security_report.words:{report.id}", sealed).decode() if sealed else ""
    about = ring.open("subjects", f"security_report.about:{report.id}", report.about).decode() if report.about else ""
    log.record(db, Event("security.report.viewed", account=report.about_id, details={"report": report.id}))
    return Opened(report, words, about, db.get(Account, report.about_id) if report.about_id else None)


def close(db: Db, report_id: str, *, by: str, outcome: str) -> None:
    """Close a report with a sentence, once. Raises Invalid, NotFound, Conflict."""
    report = _not_own(db, report_id, by)
    if not 3 <= len(outcome) <= 500:
        raise Invalid(fields={"outcome": "Say in 3 to 500 characters what was found and done."})
    closed = db.execute(
        update(SecurityReport)
        .where(col(SecurityReport.id) == report_id, col(SecurityReport.status) == "open")
        .values(status="closed", closed_at=clock.now(), closed_by=by, outcome=outcome)
    )
    assert isinstance(closed, CursorResult)
    if closed.rowcount != 1:
        raise Conflict("This report was closed meanwhile.")
    log.record(db, Event("security.report.closed", account=report.about_id, details={"report": report_id}))


def close_of_case(db: Db, case_id: str, *, by: str, outcome: str) -> None:
    """Close the reports that a decided case holds."""
    found = select(SecurityReport).where(col(SecurityReport.case_id) == case_id, col(SecurityReport.status) == "open")
    for report in db.exec(found).all():
        report.status, report.closed_at, report.closed_by, report.outcome = "closed", clock.now(), by, outcome
        db.add(report)
        log.record(db, Event("security.report.closed", account=report.about_id, details={"report": report.id}))
    db.flush()


def unlock(db: Db, report_id: str, *, by: str, because: str) -> None:
    """Lift the lock a report put on an account, after its owner was recognised.

    The account opens when nothing else holds it: a hold of the desk by a case stays. Raises Invalid, Conflict.
    """
    report = _not_own(db, report_id, by)
    if not 3 <= len(because) <= 500:
        raise Invalid(fields={"because": "Say how you recognized the owner."})
    lifted = db.execute(
        update(SecurityReport)
        .where(
            col(SecurityReport.id) == report_id,
            col(SecurityReport.locked_at).is_not(None),
            col(SecurityReport.unlocked_at).is_(None),
        )
        .values(unlocked_at=clock.now())
    )
    assert isinstance(lifted, CursorResult)
    if lifted.rowcount != 1 or report.about_id is None:
        raise Conflict("This report holds no lock, or it was lifted meanwhile.")
    if holds.by_desk(db, report.about_id) or locked(db, report.about_id):
        return
    if people.reinstate(db, report.about_id, because=because, by=by):
        outbox.send(db, report.about_id, "account_reinstated", {})


def locked(db: Db, account_id: str) -> bool:
    """Say whether a report's lock holds an account."""
    found = select(SecurityReport.id).where(
        col(SecurityReport.about_id).in_(humans.same(db, account_id)),
        col(SecurityReport.locked_at).is_not(None),
        col(SecurityReport.unlocked_at).is_(None),
    )
    return db.exec(found.limit(1)).first() is not None


def _not_own(db: Db, report_id: str, by: str) -> SecurityReport:
    report = db.get(SecurityReport, report_id)
    if report is None:
        raise NotFound("There is no report with this id.")
    if humans.same(db, by) & {report.about_id, report.reporter_id}:
        raise Conflict("This report is about your own account. Ask a colleague.")
    return report
