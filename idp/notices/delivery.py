"""Send what waits in the outbox over SMTP; a job calls `deliver` and any number of workers may."""

import smtplib
import ssl
from datetime import timedelta
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from sqlalchemy import CursorResult, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.audit import log
from idp.audit.events import Event
from idp.database import Database, of, reading, transaction
from idp.notices import catalogue
from idp.notices.tables import Outbox

TRIES = 8
SECONDS = 10.0


def deliver(database: Database, limit: int = 50) -> int:
    """Send waiting mails; return how many were handed over. Without IDP_SMTP_URL nothing is sent.

    A mail is claimed by one conditional update before it is sent, so ten workers send it once; it is tried
    eight times over four hours, then marked failed and recorded.
    """
    if database.settings.smtp_url is None:
        return 0
    with reading(database) as db:
        due = db.exec(
            select(Outbox.id)
            .where(
                col(Outbox.sent_at).is_(None), col(Outbox.failed_at).is_(None), col(Outbox.next_try_at) <= clock.now()
            )
            .order_by(col(Outbox.next_try_at))
            .limit(limit)
        ).all()
    return sum(_one(database, number) for number in due if number is not None)


def _one(database: Database, number: int) -> bool:
    with transaction(database) as db:
        mail = _claim(db, number)
        if mail is None:
            return False
        message = _message(db, mail)
    try:
        _send(database, message)
    except (OSError, smtplib.SMTPException) as problem:
        if mail.tries >= TRIES:
            with transaction(database) as db:
                db.execute(update(Outbox).where(col(Outbox.id) == number).values(failed_at=clock.now()))
                details = {"template": mail.template, "cause": type(problem).__name__}
                event = Event("notices.mail.failed", account=mail.account_id, outcome="failed", details=details)
                log.record(db, event)
        return False
    with transaction(database) as db:
        db.execute(update(Outbox).where(col(Outbox.id) == number).values(sent_at=clock.now()))
    return True


def _claim(db: Db, number: int) -> Outbox | None:
    now = clock.now()
    mail = db.get(Outbox, number)
    if mail is None:
        return None
    tries = mail.tries + 1
    claimed = db.execute(
        update(Outbox)
        .where(
            col(Outbox.id) == number,
            col(Outbox.tries) == mail.tries,
            col(Outbox.sent_at).is_(None),
            col(Outbox.failed_at).is_(None),
            col(Outbox.next_try_at) <= now,
        )
        .values(tries=tries, next_try_at=now + timedelta(minutes=2**tries))
    )
    assert isinstance(claimed, CursorResult)
    if claimed.rowcount != 1:
        return None
    db.refresh(mail)
    return mail


def _message(db: Db, mail: Outbox) -> EmailMessage:
    insurer = configuration.current(db).insurer
    settings = of(db).settings
    subject, text = catalogue.rendered(
        mail.template, mail.facts, insurer=insurer.name, phone=insurer.help_phone, link=settings.issuer
    )
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings.mail_from, mail.recipient, subject
    message["Message-ID"] = f"<{mail.id}@{urlsplit(settings.issuer).hostname}>"
    message.set_content(text)
    return message


def _send(database: Database, message: EmailMessage) -> None:
    """Hand one mail to the server of IDP_SMTP_URL: smtps://user:secret@host:465 or smtp://host:587 (STARTTLS)."""
    assert database.settings.smtp_url is not None
    parts = urlsplit(database.settings.smtp_url.get_secret_value())
    host = parts.hostname or "localhost"
    trust = ssl.create_default_context()
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=SECONDS, context=trust)
    else:
        server = smtplib.SMTP(host, parts.port or 587, timeout=SECONDS)
    with server:
        if parts.scheme != "smtps" and not database.settings.development:
            server.starttls(context=trust)
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(message)
