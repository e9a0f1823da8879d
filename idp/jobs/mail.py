"""Deliver the outbox: each mail is taken by one conditional update, tried again with growing pauses."""

import smtplib
import ssl
from datetime import timedelta
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

import structlog
from sqlalchemy import CursorResult, update
from sqlmodel import col, select

from idp import clock, configuration
from idp.audit import log
from idp.audit.events import Event
from idp.database import Database, transaction
from idp.notices import reading
from idp.notices.tables import Outbox
from idp.settings import Settings

BATCH = 20
TRIES = 8
"""The last one about two days after the first."""
_SECONDS = 10.0
_HELD = timedelta(minutes=2)
"""How long a mail belongs to the worker that took it; a worker that died gives it back by this."""
_log = structlog.get_logger("idp.mail")


def run(database: Database) -> bool:
    """Deliver what is due; return whether more waits. Without IDP_SMTP_URL mail stays in the mailbox page."""
    if database.settings.smtp_url is None:
        return False
    now = clock.now()
    with transaction(database) as db:
        due = db.exec(
            select(Outbox)
            .where(col(Outbox.sent_at).is_(None), col(Outbox.failed_at).is_(None), col(Outbox.next_try_at) <= now)
            .order_by(col(Outbox.next_try_at))
            .limit(BATCH)
        ).all()
    for mail in due:
        _deliver(database, mail)
    return len(due) == BATCH


def _deliver(database: Database, mail: Outbox) -> None:
    now = clock.now()
    with transaction(database) as db:
        taken = db.execute(
            update(Outbox)
            .where(
                col(Outbox.id) == mail.id,
                col(Outbox.tries) == mail.tries,
                col(Outbox.sent_at).is_(None),
                col(Outbox.next_try_at) <= now,
            )
            .values(tries=mail.tries + 1, next_try_at=now + _HELD)
        )
        assert isinstance(taken, CursorResult)
        if taken.rowcount != 1:
            return
        message = _message(mail, database, configuration.current(db).insurer)
    problem = None
    try:
        _send(message, database.settings)
    except (OSError, smtplib.SMTPException) as failure:
        problem = type(failure).__name__
        _log.warning("mail_not_sent", mail=mail.id, tries=mail.tries + 1, cause=problem)
    with transaction(database) as db:
        told = {"account": mail.account_id, "details": {"mail": mail.id, "template": mail.template}}
        if problem is None:
            values: dict[str, object] = {"sent_at": clock.now()}
            log.record(db, Event("notices.mail.sent", **told))  # type: ignore[arg-type]
        elif mail.tries + 1 >= TRIES:
            values = {"failed_at": clock.now()}
            log.record(db, Event("notices.mail.failed", outcome="failed", reason=problem, **told))  # type: ignore[arg-type]
        else:
            values = {"next_try_at": clock.now() + timedelta(seconds=30 * 4**mail.tries)}
        db.execute(update(Outbox).where(col(Outbox.id) == mail.id).values(**values))


def _message(mail: Outbox, database: Database, insurer: configuration.Insurer) -> EmailMessage:
    settings = database.settings
    subject, body = reading.shown(mail, settings, database.ring, insurer)
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = mail.recipient
    message["Subject"] = subject
    message["Date"] = formatdate(clock.now().timestamp())
    message["Message-ID"] = make_msgid(domain=settings.mail_from.rpartition("@")[2] or "localhost")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(body)
    return message


def _send(message: EmailMessage, settings: Settings) -> None:
    """Hand a mail to the relay: `smtps://` is TLS from the start, `smtp://` upgrades where the relay offers it."""
    assert settings.smtp_url is not None
    parts = urlsplit(settings.smtp_url.get_secret_value())
    host = parts.hostname or "localhost"
    context = ssl.create_default_context()
    relay: smtplib.SMTP
    if parts.scheme == "smtps":
        relay = smtplib.SMTP_SSL(host, parts.port or 465, timeout=_SECONDS, context=context)
    else:
        relay = smtplib.SMTP(host, parts.port or 587, timeout=_SECONDS)
    with relay:
        if parts.scheme != "smtps":
            relay.ehlo()
            if relay.has_extn("starttls"):
                relay.starttls(context=context)
            elif parts.username:
                raise smtplib.SMTPNotSupportedError(
                    "the relay offers no TLS, and the password must not go in the clear"
                )
        if parts.username:
            relay.login(unquote(parts.username), unquote(parts.password or ""))
        relay.send_message(message)
