"""Browsers we gave a device cookie to, and whose accounts they are known to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, entropy
from idp.accounts.tables import Device, KnownDevice
from idp.database.lane import Sql, Work

_LABELS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("CrOS", "Chromebook"),
    ("Linux", "Linux"),
)
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""Looked for in this order: most browsers also say they are one of those below them."""
_SEEN_EVERY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Given:
    """A device and, where it was made just now, the secret its cookie carries."""

    device: Device
    secret: str | None


def label_of(user_agent: str | None) -> str:
    """Return a name people recognise, such as "Chrome on Windows"."""
    agent = user_agent or ""
    system = next((name for mark, name in _LABELS if mark in agent), "")
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    return " on ".join(part for part in (browser, system) if part) or "A browser"


def form_of(label: str) -> str:
    """Return what a device of a label is: `phone`, `tablet`, `desktop`, or `unknown`."""
    system = label.rpartition(" on ")[2]
    if system in ("iPhone", "Android"):
        return "phone"
    return "tablet" if system == "iPad" else "desktop" if system in dict(_LABELS).values() else "unknown"


def find(db: Db, secret: str | None) -> Device | None:
    """Return the device of a cookie, if we gave it."""
    if not secret:
        return None
    return db.exec(select(Device).where(col(Device.token_hash) == hash_of(secret))).one_or_none()


def seen(db: Db, secret: str | None, user_agent: str | None) -> Given:
    """Return the device of this browser, making one where there is none yet."""
    device = find(db, secret)
    if device is not None:
        if clock.now() - device.last_seen_at >= _SEEN_EVERY:
            device.last_seen_at = clock.now()
            db.add(device)
        return Given(device, None)
    fresh = entropy.token()
    device = Device(token_hash=hash_of(fresh), label=label_of(user_agent))
    db.add(device)
    db.flush()
    return Given(device, fresh)


_INSERT = Sql("INSERT INTO device (id, token_hash, label, last_seen_at, created_at) VALUES ($1, $2, $3, $4, $4)")
_SEEN = Sql("UPDATE device SET last_seen_at = $2 WHERE id = $1 AND last_seen_at <= $3")
_STILL = Sql("SELECT 1 FROM known_device WHERE device_id = $1 AND account_id = $2 AND remembered_until = $3")
_REMEMBER = Sql(
    "INSERT INTO known_device (device_id, account_id, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
)


def insert(device_id: str, secret: str, user_agent: str | None, now: datetime) -> Work:
    """Give this browser a device, in a group of the lane."""
    yield _INSERT, (device_id, hash_of(secret), label_of(user_agent), clock.micros(now))


def saw_in_lane(device_id: str, now: datetime) -> Work:
    """Note that a device is still used, as `seen` does."""
    yield _SEEN, (device_id, clock.micros(now), clock.micros(now - _SEEN_EVERY))


def remember_in_lane(account_id: str, device_id: str, now: datetime) -> Work:
    """Note that this account has fully signed in on this device, as `remember` does."""
    yield _REMEMBER, (device_id, account_id, clock.micros(now))


def still_remembered(account_id: str, device_id: str, until: datetime) -> Work:
    """Say, in a group of the lane, whether a second step used here is still remembered as it was read."""
    rows = yield _STILL, (device_id, account_id, clock.micros(until))
    return bool(rows)


def hash_of(secret: str) -> bytes:
    """Return what is stored of a device cookie's secret."""
    return sha256(secret.encode()).digest()


def remember(
    db: Db, account_id: str, device_id: str | None, *, until: datetime | None = None, used: datetime | None = None
) -> None:
    """Note that this account has fully signed in on this device; throttling then spares it.

    `until`: the limit of a session whose second step was just used here (`used`); until then a first login is enough to
    come back after the idle sign-out (domain.md 9).
    """
    if device_id is None:
        return
    known = db.get(KnownDevice, (device_id, account_id))
    if known is None:
        known = KnownDevice(device_id=device_id, account_id=account_id)
        db.add(known)
        db.flush()
    if until is not None:
        known.remembered_until, known.factor_at = until, used or clock.now()
        db.add(known)
        db.flush()


def remembered(db: Db, account_id: str, device_id: str) -> KnownDevice | None:
    """Return what is remembered of a second step used here, while the session limit it was used under runs."""
    known = db.get(KnownDevice, (device_id, account_id))
    if known is None or known.remembered_until is None or clock.now() >= known.remembered_until:
        return None
    return known


def ask_again(db: Db, account_id: str, device_id: str | None = None) -> None:
    """Forget that a second step was used on an account's devices, or on one: the next sign-in asks for it."""
    query = update(KnownDevice).where(
        col(KnownDevice.account_id) == account_id, col(KnownDevice.remembered_until).is_not(None)
    )
    if device_id is not None:
        query = query.where(col(KnownDevice.device_id) == device_id)
    db.execute(query.values(remembered_until=None))


def forget_all(db: Db, account_id: str) -> None:
    """Take every device off an account's known ones."""
    db.exec(delete(KnownDevice).where(col(KnownDevice.account_id) == account_id))


def knows(db: Db, account_id: str, device_id: str) -> bool:
    """Say whether this account has fully signed in on this device before."""
    return db.get(KnownDevice, (device_id, account_id)) is not None


def known_to(db: Db, account_id: str) -> list[Device]:
    """Return the devices an account has signed in on, newest first."""
    return list(
        db.exec(
            select(Device)
            .join(KnownDevice, col(KnownDevice.device_id) == col(Device.id))
            .where(col(KnownDevice.account_id) == account_id)
            .order_by(col(Device.last_seen_at).desc())
        )
    )


def forget(db: Db, account_id: str, device_id: str) -> bool:
    """Take a device off an account's known ones. Returns False when it was not there."""
    result = db.exec(
        delete(KnownDevice).where(col(KnownDevice.account_id) == account_id, col(KnownDevice.device_id) == device_id)
    )
    return bool(result.rowcount == 1)
