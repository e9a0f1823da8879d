"""Mail is written with the fact it tells, sent once, tried again, and given up with a record."""

import smtplib
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from typing import Any, Self

import pytest
from freezegun import freeze_time
from pydantic import SecretStr
from sqlalchemy import text

from idp import clock
from idp.accounts import people
from idp.database import Database, transaction
from idp.notices import catalogue, delivery, outbox
from idp.settings import Settings


class Server:
    """Stands for the mail server; `broken` makes it refuse."""

    broken = False
    sent: list[EmailMessage] = []  # noqa: RUF012 - cleared by the fixture

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def login(self, user: str, secret: str) -> None:
        assert (user, secret) == ("us er", "se/cret")

    def send_message(self, message: EmailMessage) -> None:
        if Server.broken:
            raise smtplib.SMTPServerDisconnected("gone")
        Server.sent.append(message)


@pytest.fixture
def mailing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(smtplib, "SMTP", Server)
    monkeypatch.setattr(Server, "broken", False)
    monkeypatch.setattr(Server, "sent", [])
    url = SecretStr("smtp://us%20er:se%2Fcret@localhost:2525")
    made = Database(settings.model_copy(update={"smtp_url": url}))
    with transaction(made) as db:
        ana = people.create(db, display_name="Ana", emails=["ana@example.com", "ana@home.example"])
        assert outbox.send(db, ana.id, "password_changed", {}) == 2
    yield made
    made.dispose()


def state(database: Database) -> list[tuple[int, bool, bool]]:
    with transaction(database) as db:
        rows = db.execute(text("SELECT tries, sent_at, failed_at FROM outbox ORDER BY id")).all()
    return [(row[0], row[1] is not None, row[2] is not None) for row in rows]


def test_security_16_every_address_gets_the_mail_once(mailing: Database) -> None:
    assert delivery.deliver(mailing) == 2
    assert delivery.deliver(mailing) == 0
    assert [m["To"] for m in Server.sent] == ["ana@example.com", "ana@home.example"]
    assert Server.sent[0]["Subject"] == "Your password changed"
    assert "If this was you, there is nothing to do" in Server.sent[0].get_content()
    assert state(mailing) == [(1, True, False)] * 2


def test_a_mail_that_cannot_be_sent_is_tried_eight_times_and_then_recorded(mailing: Database) -> None:
    Server.broken = True
    with freeze_time(clock.now()) as time:
        assert delivery.deliver(mailing) == 0
        assert delivery.deliver(mailing) == 0
        assert state(mailing) == [(1, False, False)] * 2, "not tried again before its time"
        for _ in range(12):
            time.tick(timedelta(hours=5))
            delivery.deliver(mailing)
    assert state(mailing) == [(8, False, True)] * 2
    with transaction(mailing) as db:
        failed = db.execute(text("SELECT count(*) FROM audit_record WHERE event = 'notices.mail.failed'"))
        assert failed.scalar_one() == 2


def test_without_a_mail_server_mails_wait(database: Database) -> None:
    with transaction(database) as db:
        ana = people.create(db, display_name="Ana", emails=["ana@example.com"])
        outbox.send(db, ana.id, "password_changed", {})
    assert delivery.deliver(database) == 0
    assert state(database) == [(0, False, False)]


def test_a_rolled_back_fact_tells_nobody(database: Database) -> None:
    with transaction(database) as db:
        ana = people.create(db, display_name="Ana", emails=["ana@example.com"])
    with pytest.raises(ZeroDivisionError):
        _fails(database, ana.id)
    assert state(database) == []


def _fails(database: Database, account_id: str) -> None:
    with transaction(database) as db:
        outbox.send(db, account_id, "password_changed", {})
        raise ZeroDivisionError


def test_a_name_with_a_line_break_adds_no_header() -> None:
    subject, _ = catalogue.rendered(
        "invitation",
        {"provider": "Lake\r\nBcc: x@evil.example", "inviter": "W", "hours": 24, "url": "u"},
        insurer="Meridian",
        phone="1",
        link="l",
    )
    assert "\n" not in subject
    assert "\r" not in subject


@pytest.mark.parametrize("name", catalogue.TEMPLATES)
def test_every_mail_is_a_sentence_with_its_facts_in_it(name: str) -> None:
    facts = {fact: f"the-{fact}" for fact in catalogue.facts_of(name)}
    subject, body = catalogue.rendered(name, facts, insurer="Meridian", phone="1-800", link="https://i")
    assert all(value in subject + body for value in facts.values())
    assert not set("{}") & set(subject + body)
    assert len(subject) < 100


def test_a_mail_without_its_facts_is_not_written(database: Database) -> None:
    with transaction(database) as db:
        ana = people.create(db, display_name="Ana", emails=["ana@example.com"])
    with pytest.raises(ValueError, match="login"), transaction(database) as db:
        outbox.send(db, ana.id, "login_linked", {})
    assert state(database) == []
