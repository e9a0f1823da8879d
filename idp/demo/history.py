"""Four weeks of Ben's work before the demo begins, in its log; and what the detector finds in them.

The work is made up, and everything after it is not: the records are sealed, the detector reads them as it reads every
other record, and the case it opens rests on records that can be looked at.
"""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, text
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, entropy
from idp.accounts.assurance import AAL1
from idp.accounts.tables import Device, KnownDevice, Login, Session, TokenFamily
from idp.audit import checkpoint, leaf, log, months, origin
from idp.audit.events import Event
from idp.audit.seal import Sealer
from idp.database import Database, transaction
from idp.sharing.live import feeding

WHO, WHERE, ADDRESS = "acc_ben", "prv_lakeside", "203.0.113.9"
APP, LINE = "hsconnect", "medicare_advantage"
DAYS, BOTH = 28, 11
"""Days of history with their weekends, and in how many of the last of them a second computer has the login too."""
DESKS = {
    "dev_reception_4f2a": ("Edge on Windows", ("eligibility.view", "network.verify", "idcard.view")),
    "dev_backoffice_91c7": ("Chrome on Windows", ("precert.view", "message.send", "estimate.view")),
}
"""Two computers of one practice, each with its own work."""
_DAY = ((0, 8.0), (0, 9.5), (1, 9.6), (0, 9.7), (1, 9.8), (0, 13.0), (1, 13.1))
"""Which computer, at which hour; the second one only of late."""
_WRITE = text(
    f"INSERT INTO audit_record ({','.join(leaf.COLUMNS)}) "  # noqa: S608 - our own names
    f"VALUES ({','.join(':' + name for name in leaf.COLUMNS)})"
)
_SESSIONS = text(
    "SELECT session_id, device_id, min(at), max(at) FROM audit_record "
    "WHERE account_id = :who AND device_id IN :devices "
    "GROUP BY session_id, device_id ORDER BY min(at)"
).bindparams(bindparam("devices", expanding=True))


def write(database: Database) -> None:
    """Write the records of Ben's work before anybody is there: in a log, what is older stands first."""
    months.ensure(database, since=clock.now() - timedelta(days=DAYS + 1))
    with transaction(database) as db:
        if db.execute(text("SELECT 1 FROM account LIMIT 1")).first() is None:
            add(db, database)


def add(db: Db, database: Database) -> None:
    """Add the records to a log."""
    key = log.subject_key(db, WHO)
    for at, device, session, event in _work(ZoneInfo(database.settings.time_zone)):
        where = origin.Origin(address=ADDRESS, actor_id=WHO, session_id=session, device_id=device)
        row = leaf.row(event, where, at, database.ring, leaf.Subject(WHO, key))
        db.execute(_WRITE, dict(zip(leaf.COLUMNS, row, strict=True)))


def find(database: Database) -> None:
    """Make the computers and sessions of these records, seal the log, and let the detector look at it; once."""
    with transaction(database) as db:
        if db.get(Device, next(iter(DESKS))) is not None:
            return
        login = db.exec(select(Login.id).where(col(Login.account_id) == WHO, col(Login.ended_at).is_(None))).first()
        assert login is not None
        for device, (label, _) in DESKS.items():
            db.add(Device(id=device, token_hash=entropy.raw(32), label=label, last_seen_at=clock.now()))
            db.flush()
            db.add(KnownDevice(device_id=device, account_id=WHO))
        for session, device, first, last in db.execute(_SESSIONS, {"who": WHO, "devices": list(DESKS)}).all():
            begins, ends = clock.from_micros(first), clock.from_micros(last) + timedelta(minutes=15)
            db.add(_session(login, session, device, begins, ends))
            db.flush()
            db.add(_tokens(session, begins, ends))
    checkpoint.ensure_key(database.settings)
    Sealer(database).seal_all()
    feeding.begin(database)
    while feeding.run(database):
        pass


def _session(login: str, session: str, device: str, begins: datetime, ends: datetime) -> Session:
    """Return a session that is long over."""
    return Session(
        id=session,
        token_hash=entropy.raw(32),
        account_id=WHO,
        login_id=login,
        acr=AAL1,
        amr=["pwd"],
        auth_time=begins,
        device_id=device,
        last_seen_at=ends,
        expires_at=ends,
        ended_at=ends,
        ended_because="idle",
    )


def _tokens(session: str, begins: datetime, ends: datetime) -> TokenFamily:
    """Return what the app was given in that session: a review says by it when somebody last used what they have."""
    return TokenFamily(
        session_id=session,
        client_id=APP,
        account_id=WHO,
        provider_id=WHERE,
        line=LINE,
        started_at=begins,
        ended_at=ends,
        end_reason="session_ended",
    )


def _work(zone: ZoneInfo) -> Iterator[tuple[datetime, str, str, Event]]:
    """Yield moment, device, session and event: sign-ins, and what is asked for then, half a minute apart."""
    today = clock.now().astimezone(zone).date()
    for ago in range(DAYS, 0, -1):
        day = today - timedelta(days=ago)
        if day.weekday() >= 5:
            continue
        opened: set[str] = set()
        for number, hour in _DAY:
            if number and ago > BOTH:
                continue
            device, (_, functions) = list(DESKS.items())[number]
            at = datetime.combine(day, time(), zone) + timedelta(hours=hour, minutes=ago % 7)
            session = f"ses_{device.removeprefix('dev_')}_{day:%m%d}"
            if session not in opened:
                opened.add(session)
                yield at, device, session, Event("accounts.login.succeeded", account=WHO)
            for function in functions:
                at += timedelta(seconds=30)
                yield at, device, session, _asked(function)


def _asked(function: str) -> Event:
    return Event(
        "entitlements.decision.made",
        account=WHO,
        provider=WHERE,
        entitlement=function,
        outcome="permit",
        client=APP,
        details={"line": LINE},
    )
