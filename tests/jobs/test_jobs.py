"""Jobs run once however many workers there are, and mark ended what has reached its date."""

import socketserver
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

import pytest
from freezegun import freeze_time
from pydantic import SecretStr
from sqlalchemy import text

from idp import clock, jobs
from idp.accounts import people, sessions
from idp.accounts.assurance import AAL1, AAL2, PHR
from idp.accounts.tables import Login
from idp.audit import checkpoint, log, origin
from idp.audit.events import Event
from idp.audit.seal import Sealer
from idp.audit.verify import verify
from idp.database import Database, reading, transaction
from idp.database.glance import Glance
from idp.entitlements import catalog, grants
from idp.jobs import cleanup, expiries, mail
from idp.jobs.expiring import Expiring
from idp.jobs.lease import Lease
from idp.jobs.runner import JOBS, Job, named
from idp.notices import outbox
from idp.providers import organisations
from idp.settings import Settings
from tests.engines import settings_for

LASTS = timedelta(seconds=5)


def test_one_worker_of_many_holds_a_lease_and_another_takes_over_when_it_dies(database: Database) -> None:
    workers = [Lease(database, "seal", f"wrk_{n}", LASTS) for n in range(4)]
    assert [lease.held() for lease in workers] == [True, False, False, False]
    assert workers[0].held()
    with freeze_time(clock.now() + LASTS + timedelta(seconds=1)):
        assert [lease.held() for lease in workers[1:]] == [True, False, False]
        assert not workers[0].held()
        workers[1].give_up()
        assert workers[2].held()


def test_a_backlog_leaves_most_of_the_worker_to_its_requests_and_sealing_never_waits() -> None:
    backlog = Job("reviews", 60.0, lambda _database: True, share=0.2)
    assert backlog.pause(0.3) == pytest.approx(1.2)  # works a fifth of the time
    assert backlog.pause(100.0) == 60.0
    assert Job("seal", 0.1, lambda _database: True).pause(0.3) == 0.0


def test_security_75_many_sealers_at_once_make_one_tree_and_skip_no_record(database: Database) -> None:
    public = checkpoint.make_key(database.settings.audit_key_file)
    stop = threading.Event()
    problems: list[BaseException] = []

    def write(name: str) -> None:
        for n in range(25):
            with transaction(database) as session:
                log.record(session, Event("entitlements.grant.added", account=f"acc_{name}{n}"))
                if n % 5 == 0:
                    time.sleep(0.01)  # commits late: its number is lower than those sealed meanwhile

    def seal() -> None:
        sealer = Sealer(database)
        try:
            while not stop.is_set():
                sealer.seal()
        except BaseException as problem:
            problems.append(problem)

    writers = [threading.Thread(target=write, args=(f"w{n}_",)) for n in range(4)]
    sealers = [threading.Thread(target=seal) for _ in range(4)]
    for thread in (*writers, *sealers):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in sealers:
        thread.join()
    assert problems == []
    Sealer(database).seal_all()
    report = verify(database, public)
    assert report.whole, report.sentence
    assert (report.records, report.waiting) == (100, 0)


def test_the_jobs_seal_by_themselves_and_stop_when_told(database: Database) -> None:
    running = jobs.start(database)
    try:
        with transaction(database) as session:
            log.record(session, Event("entitlements.grant.added", account="acc_a"))
        for _ in range(100):
            time.sleep(0.05)
            with reading(database) as session:
                waiting = session.execute(text("SELECT count(*) FROM audit_unsealed")).scalar()
                sealed = session.execute(text("SELECT max(size) FROM audit_checkpoint")).scalar()
            if waiting == 0 and sealed:
                break
        assert (waiting, bool(sealed)) == (0, True)
    finally:
        running.stop()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("job-")]
    with reading(database) as session:
        assert session.execute(text("SELECT count(*) FROM job_lease")).scalar() == 0


def test_expired_grants_are_ended_told_and_recorded_once(database: Database) -> None:
    with transaction(database) as db:
        catalog.load_default(db)
        provider = organisations.register(db, name="Lakeside Clinic", tin="123456789")
        ana = people.create(db, display_name="Ana Ruiz")
        facts = {"account_id": ana.id, "provider_id": provider.id, "line": "medical", "by": "operator", "reason": "x"}
        short = grants.grant(db, entitlement="claim.status.view", expires_at=clock.now() + timedelta(hours=1), **facts)
        grants.grant(db, entitlement="eligibility.view", expires_at=clock.now() + timedelta(hours=9), **facts)
    assert expiries.run(database) is False
    with freeze_time(clock.now() + timedelta(hours=1, seconds=1)):
        for _ in range(2):
            expiries.run(database)
    with reading(database) as db:
        ended = db.execute(text('SELECT id, end_reason FROM "grant" WHERE ended_at IS NOT NULL')).all()
        told = db.execute(text("SELECT kind, account_id, reason FROM revocation")).all()
        recorded = db.execute(text("SELECT reason FROM audit_record WHERE event = 'entitlements.grant.ended'")).all()
    assert [tuple(row) for row in ended] == [(short.id, "expired")]
    assert [tuple(row) for row in told] == [("grant_ended", ana.id, "expired")]
    assert [row.reason for row in recorded] == ["expired"]


def test_security_19_sessions_past_their_idle_or_absolute_limit_are_ended(database: Database) -> None:
    with transaction(database) as db:
        ana = people.create(db, display_name="Ana Ruiz")
        login = Login(account_id=ana.id, issuer="http://localhost:8000", subject="ana")
        db.add(login)
        db.flush()
        opened = sessions.open_session(db, account_id=ana.id, login_id=login.id, acr="x", amr=["pwd"])
    expiries.run(database)
    with freeze_time(clock.now() + timedelta(minutes=16)):
        expiries.run(database)
    with reading(database) as db:
        row = db.execute(text("SELECT id, ended_because FROM session WHERE ended_at IS NOT NULL")).one()
        assert tuple(row) == (opened.session.id, "idle")


def test_decision_0019_a_session_that_goes_idle_is_told_at_that_moment_and_one_that_is_used_is_not(
    database: Database,
) -> None:
    """Nothing is looked through between two looks at everything: what comes is known by its id."""
    started = clock.now()
    with transaction(database) as db:
        ana = people.create(db, display_name="Ana Ruiz")
        login = Login(account_id=ana.id, issuer="http://localhost:8000", subject="ana")
        db.add(login)
        db.flush()
        opened = [
            sessions.open_session(db, account_id=ana.id, login_id=login.id, acr=acr, amr=["pwd"]).session.id
            for acr in (AAL1, AAL2, PHR)
        ]
    glance = Glance(database)
    job = Expiring(glance)

    def over(at: timedelta) -> list[str]:
        with freeze_time(started + timedelta(minutes=15) + at):
            job.run(database)
        with reading(database) as db:
            ended = [row[0] for row in db.execute(text("SELECT id FROM session WHERE ended_because = 'idle'"))]
            told = [row[0] for row in db.execute(text("SELECT session_id FROM revocation ORDER BY seq"))]
        assert sorted(told) == sorted(ended)
        return sorted(told)

    with transaction(database) as db:
        for number, session_id in enumerate(opened):
            ends = clock.micros(started + timedelta(seconds=number / 2))
            db.execute(text("UPDATE session SET last_seen_at = :t WHERE id = :s"), {"t": ends, "s": session_id})
    assert over(timedelta(seconds=-3)) == []
    with transaction(database) as db:
        seen = {"t": clock.micros(started + timedelta(minutes=9)), "s": opened[1]}
        db.execute(text("UPDATE session SET last_seen_at = :t WHERE id = :s"), seen)
    assert over(timedelta(milliseconds=-10)) == []
    assert over(timedelta(milliseconds=1)) == [opened[0]]
    assert over(timedelta(milliseconds=900)) == [opened[0]]
    assert over(timedelta(milliseconds=1001)) == sorted((opened[0], opened[2]))
    assert over(timedelta(seconds=9)) == sorted((opened[0], opened[2]))
    glance.close()


def test_what_has_served_is_deleted_a_day_later_and_not_before(database: Database) -> None:
    with transaction(database) as db:
        db.execute(
            text("INSERT INTO revoked_token (jti, expires_at, created_at) VALUES ('x', :at, 0)"),
            {"at": clock.micros(clock.now())},
        )

    def left() -> int:
        with reading(database) as db:
            return int(db.execute(text("SELECT count(*) FROM revoked_token")).scalar_one())

    cleanup.run(database)
    assert left() == 1
    with freeze_time(clock.now() + timedelta(days=1, minutes=1)):
        assert cleanup.run(database) is False
    assert left() == 0


class _Relay(socketserver.StreamRequestHandler):
    mails: ClassVar[list[str]] = []
    answer: ClassVar[str] = "250 ok"

    def handle(self) -> None:
        self._say("220 relay")
        for raw in self.rfile:
            word = raw.decode().strip().upper()
            if word.startswith("DATA"):
                self._say("354 go on")
                lines = []
                for line in self.rfile:
                    if line == b".\r\n":
                        break
                    lines.append(line.decode())
                if self.answer.startswith("250"):
                    self.mails.append("".join(lines))
                self._say(self.answer)
            elif word.startswith("QUIT"):
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


@pytest.fixture
def relay() -> Iterator[str]:
    _Relay.mails.clear()
    _Relay.answer = "250 ok"
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Relay) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"smtp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_mail_is_delivered_once_and_tried_again_when_the_relay_refuses(
    settings: Settings, relay: str, tmp_path: object
) -> None:
    database = Database(settings.model_copy(update={"smtp_url": SecretStr(relay)}))
    with transaction(database) as db:
        ana = people.create(db, display_name="Ana Ruiz", emails=["ana@example.org"])
        outbox.send(db, ana.id, "account_reinstated", {})
    _Relay.answer = "451 later"
    mail.run(database)
    mail.run(database)  # not due yet
    assert _Relay.mails == []
    _Relay.answer = "250 ok"
    with freeze_time(clock.now() + timedelta(minutes=1)):
        mail.run(database)
        mail.run(database)
    assert len(_Relay.mails) == 1
    assert "To: ana@example.org" in _Relay.mails[0]
    with reading(database) as db:
        row = db.execute(text("SELECT tries, sent_at IS NOT NULL AS sent FROM outbox")).one()
        assert (row.tries, bool(row.sent)) == (2, True)
        assert db.execute(text("SELECT count(*) FROM audit_record WHERE event = 'notices.mail.sent'")).scalar() == 1
    database.dispose()


def test_security_16_the_worker_s_own_jobs_send_a_notice_and_try_again_after_a_refusal(
    settings: Settings, relay: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(settings.model_copy(update={"smtp_url": SecretStr(relay)}))
    with transaction(database) as db:
        ana = people.create(db, display_name="Ana Ruiz", emails=["ana@example.org"])
        outbox.send(db, ana.id, "account_reinstated", {})
    _Relay.answer = "451 later"
    running = jobs.Running(database, (jobs.Job("mail", 0.05, mail.run),))
    try:
        _until(database, "tries = 1 AND next_try_at BETWEEN created_at + 1000000 AND created_at + 90000000")
        _Relay.answer = "250 ok"
        with transaction(database) as db:
            db.execute(text("UPDATE outbox SET next_try_at = created_at"))
        _until(database, "sent_at IS NOT NULL AND tries = 2")
    finally:
        running.stop()
    assert len(_Relay.mails) == 1
    database.dispose()


def _until(database: Database, holds: str) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with reading(database) as db:
            if db.execute(text(f"SELECT count(*) FROM outbox WHERE {holds}")).scalar():
                return
        time.sleep(0.02)
    pytest.fail(holds)


def test_without_a_relay_mail_stays_for_the_mailbox_page(database: Database) -> None:
    assert settings_for("sqlite://", database.settings.audit_key_file.parent).smtp_url is None
    assert mail.run(database) is False


def test_every_job_is_found_by_its_name_and_has_nothing_to_do_in_an_empty_service(database: Database) -> None:
    checkpoint.make_key(database.settings.audit_key_file)
    assert len(JOBS) == len({name for name, _, _ in JOBS})
    with origin.acting_as("system"):
        assert {name: named(work)(database) for name, _, work in JOBS} == {name: False for name, _, _ in JOBS}
