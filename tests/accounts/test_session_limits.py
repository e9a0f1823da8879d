"""How long a session lasts goes by how strongly the person signed in (NIST SP 800-63B-4 2.1.3, 2.2.3, 2.3.3)."""

from datetime import timedelta
from typing import Any

import pytest
from freezegun import freeze_time
from pydantic import ValidationError
from sqlalchemy import text

from idp import clock
from idp.accounts import people, sessions
from idp.accounts.assurance import AAL1, AAL2, PHR, absolute_limit, idle_limit
from idp.accounts.tables import Login, Session
from idp.configuration import Clocks, Configuration, ConfigurationRow
from idp.database import Database, reading, transaction
from idp.entitlements import world as decisions
from idp.jobs import expiries

CLOCKS = Clocks(
    session_idle_aal1=timedelta(minutes=40),
    session_absolute_aal1=timedelta(hours=2),
    session_idle=timedelta(minutes=20),
    session_absolute=timedelta(hours=6),
    session_idle_phr=timedelta(minutes=10),
    session_absolute_phr=timedelta(hours=4),
)
LIMITS = {AAL1: (40, 2), AAL2: (20, 6), PHR: (10, 4)}
"""Strength -> idle minutes, hours at most."""
SECOND = timedelta(seconds=1)


def opened(database: Database, *strengths: str) -> dict[str, sessions.Opened]:
    """Put the limits in force and open a session of each strength."""
    with transaction(database) as db:
        db.add(ConfigurationRow(body=Configuration(clocks=CLOCKS).model_dump_json()))
        ana = people.create(db, display_name="Ana Ruiz")
        login = Login(account_id=ana.id, issuer="http://localhost:8000", subject="ana")
        db.add(login)
        db.flush()
        return {
            acr: sessions.open_session(db, account_id=ana.id, login_id=login.id, acr=acr, amr=["pwd"])
            for acr in strengths
        }


def found(database: Database, one: sessions.Opened) -> Session | None:
    with transaction(database) as db:
        return sessions.find(db, one.secret)


def test_security_19_each_strength_has_its_idle_and_its_overall_limit(database: Database) -> None:
    begun = opened(database, *LIMITS)
    start = min(one.session.created_at for one in begun.values())
    seen = max(one.session.last_seen_at for one in begun.values())
    for acr, (minutes, hours) in LIMITS.items():
        with freeze_time(start + timedelta(minutes=minutes) - SECOND):
            assert found(database, begun[acr]) is not None
        with freeze_time(seen + timedelta(minutes=minutes)):
            assert found(database, begun[acr]) is None, "idle"
        assert begun[acr].session.expires_at - begun[acr].session.last_seen_at == timedelta(hours=hours)


def test_security_19_the_job_ends_each_session_by_its_own_limit(database: Database) -> None:
    begun = opened(database, *LIMITS)
    names = {one.session.id: acr for acr, one in begun.items()}
    start = max(one.session.last_seen_at for one in begun.values())
    for minutes, gone in ((9, set()), (11, {PHR}), (21, {PHR, AAL2}), (41, {PHR, AAL2, AAL1})):
        with freeze_time(start + timedelta(minutes=minutes)):
            expiries.run(database)
        with reading(database) as db:
            ended = db.execute(text("SELECT id FROM session WHERE ended_because = 'idle'")).scalars()
            assert {names[one] for one in ended} == gone


def test_security_19_decisions_know_the_same_limits(database: Database) -> None:
    opened(database)
    with reading(database) as db:
        from idp.database.lane import drive

        loaded = drive(db, decisions.load(1))
    assert [limit // 60_000_000 for limit in loaded.idle] == [minutes for minutes, _ in LIMITS.values()]


def test_security_19_a_risen_strength_brings_its_limit_and_no_session_grows_past_the_longer_one(
    database: Database,
) -> None:
    begun = opened(database, AAL1)[AAL1]
    start = begun.session.created_at
    for later, acr, hours_in_all in ((90, AAL2, 6), (120, PHR, 6), (180, PHR, 6)):
        with freeze_time(start + timedelta(minutes=later)), transaction(database) as db:
            session = db.get(Session, begun.session.id)
            assert session is not None
            sessions.strengthen(db, session, acr=acr, amr=["otp"])
            assert session.expires_at == start + timedelta(hours=hours_in_all), acr
    with freeze_time(start + timedelta(hours=6)), reading(database) as db:
        session = db.get(Session, begun.session.id)
        assert session is not None
        assert not sessions.alive(session, CLOCKS, clock.now())


def test_security_19_without_settings_of_their_own_all_have_fifteen_minutes_and_twelve_hours() -> None:
    for acr in (None, "unknown", AAL1, AAL2, PHR):
        assert idle_limit(Clocks(), acr) == timedelta(minutes=15)
        assert absolute_limit(Clocks(), acr) == timedelta(hours=12)
    said = Clocks(session_idle=timedelta(minutes=30))
    assert [idle_limit(said, acr) // timedelta(minutes=1) for acr in (AAL1, AAL2, PHR)] == [30, 30, 15]


@pytest.mark.parametrize(
    "beyond",
    [
        {"session_idle": timedelta(minutes=61)},
        {"session_absolute": timedelta(hours=25)},
        {"session_absolute_aal1": timedelta(days=31)},
        {"session_idle_phr": timedelta(minutes=16)},
        {"session_absolute_phr": timedelta(hours=13)},
        {"session_idle_aal1": timedelta(0)},
    ],
)
def test_security_19_limits_beyond_the_levels_ceilings_are_refused(beyond: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Clocks(**beyond)
