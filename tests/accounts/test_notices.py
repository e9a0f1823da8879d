"""Mail is written with the fact it tells, to every address, tried again, and given up with a record."""

import ast
import re
import string
from datetime import timedelta
from pathlib import Path

import pytest
from freezegun import freeze_time
from pydantic import SecretStr
from sqlalchemy import text

from idp import clock
from idp.accounts import people
from idp.database import Database, transaction
from idp.jobs import mail
from idp.notices import catalogue, outbox
from idp.settings import Settings

ALWAYS = {"insurer", "phone", "link", "not_me"}
OURS = re.compile(r"\b(entitlements?|grants?|wam|organisations?|upstreams?|please|sorry|invalid)\b", re.IGNORECASE)
"""Words of the service and words that blame (ui.md 1)."""
SOURCES = Path(catalogue.__file__).parents[1]


def state(database: Database) -> list[tuple[int, bool, bool]]:
    with transaction(database) as db:
        rows = db.execute(text("SELECT tries, sent_at, failed_at FROM outbox ORDER BY id")).all()
    return [(row[0], row[1] is not None, row[2] is not None) for row in rows]


def test_a_mail_that_cannot_be_sent_is_tried_eight_times_and_then_recorded(settings: Settings) -> None:
    nobody_listens = SecretStr("smtp://127.0.0.1:9")
    database = Database(settings.model_copy(update={"smtp_url": nobody_listens}))
    with transaction(database) as db:
        ana = people.create(db, display_name="Ana", emails=["ana@example.com", "ana@home.example"])
        assert outbox.send(db, ana.id, "password_changed", {}) == 2, "security 16: every address"
    with freeze_time(clock.now()) as time:
        mail.run(database)
        mail.run(database)
        assert state(database) == [(1, False, False)] * 2, "not tried again before its time"
        for _ in range(8):
            time.tick(timedelta(hours=48))
            mail.run(database)
    assert state(database) == [(8, False, True)] * 2
    with transaction(database) as db:
        failed = db.execute(text("SELECT count(*) FROM audit_record WHERE event = 'notices.mail.failed'"))
        assert failed.scalar_one() == 2
    database.dispose()


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


def _sent() -> dict[str, set[str] | None]:
    """Every template that some source sends, with the facts' names where they stand in the call."""
    found: dict[str, set[str] | None] = {}
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in catalogue.TEMPLATES:
                found.setdefault(node.value, None)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "outbox.send" and len(node.args) > 3:
                name, facts = node.args[2], node.args[3]
                if isinstance(name, ast.Constant) and isinstance(facts, ast.Dict):
                    found[name.value] = {key.value for key in facts.keys if isinstance(key, ast.Constant)}
    return found


def test_every_mail_is_sent_somewhere_and_with_the_facts_its_text_needs() -> None:
    sent = _sent()
    for name, template in catalogue.TEMPLATES.items():
        needed = {field for _, field, _, _ in string.Formatter().parse(template.subject + template.text) if field}
        assert name in sent, f"{name} is sent by nobody"
        facts = sent[name]
        assert facts is None or needed - ALWAYS <= facts, (name, needed - ALWAYS, facts)


@pytest.mark.parametrize("name", catalogue.TEMPLATES)
def test_every_mail_reads_well(name: str) -> None:
    template = catalogue.TEMPLATES[name]
    facts = {
        field: f"<{field}>" for _, field, _, _ in string.Formatter().parse(template.subject + template.text) if field
    }
    facts |= {"hours": "24", "left": "7", "days": "14"}
    subject, body = catalogue.rendered(name, facts, insurer="Meridian", phone="1-800", link="https://i")
    assert "{" not in subject + body
    assert len(subject) <= 90, "a subject that fits a phone's list"
    assert re.search(r"[.\n]\n\nMeridian, 1-800\n$", body) or body.rstrip().endswith("Meridian, 1-800")
    assert OURS.search(subject + body) is None


def test_a_mail_without_its_facts_is_not_written(database: Database) -> None:
    with transaction(database) as db:
        ana = people.create(db, display_name="Ana", emails=["ana@example.com"])
    with pytest.raises(ValueError, match="login"), transaction(database) as db:
        outbox.send(db, ana.id, "login_linked", {})
    assert state(database) == []
