"""The organizations people may choose from, and the one an address or a device leads to: asks nothing about people."""

from dataclasses import dataclass

import orjson
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts import devices
from idp.database.lane import Sql, Work, drive
from idp.federation.tables import Upstream


def offered(db: Db, words: str = "") -> list[Upstream]:
    """Return the organizations people may choose from, by name; paused ones too, so nobody learns more."""
    listed = select(Upstream).where(col(Upstream.status) == "active", col(Upstream.community_id).is_(None))
    found = db.exec(listed).all()
    wanted = words.casefold().split()
    fitting = [u for u in found if all(word in u.display_name.casefold() for word in wanted)]
    return sorted(fitting, key=lambda u: u.display_name.casefold())


@dataclass(frozen=True, slots=True)
class Offer:
    """An organization as the sign-in pages name it."""

    id: str
    display_name: str


_OFFERS = Sql("SELECT id, display_name, domains FROM upstream WHERE status = 'active'")


def of_domain(db: Db, typed: str) -> Offer | None:
    """Return the upstream of an e-mail's domain, if a partner registered it.

    Asks nothing about people: whether anybody has an account with that address changes nothing (security.md 9).
    """
    found: Offer | None = drive(db, at_domain(typed))
    return found


def at_domain(typed: str) -> Work:
    """Find the upstream of an e-mail's domain, in either lane; reads nothing for a word that can be none."""
    _, at, domain = typed.strip().rpartition("@")
    if not domain or not (at or "." in domain):
        return None
    rows = yield _OFFERS, ()
    fitting = [Offer(row[0], row[1]) for row in rows if domain.casefold() in orjson.loads(row[2])]
    return min(fitting, key=lambda offer: offer.display_name.casefold(), default=None)


_LAST_USED = Sql(
    "SELECT u.id, u.display_name FROM session s JOIN login l ON l.id = s.login_id AND l.ended_at IS NULL "
    "LEFT JOIN upstream u ON u.id = l.upstream_id "
    "WHERE s.device_id = (SELECT id FROM device WHERE token_hash = $1) ORDER BY s.auth_time DESC LIMIT 1"
)


def last_used_on(device_secret: str | None) -> Work:
    """Find the organization whose login was last used on a device, if its last one was an organization's."""
    if not device_secret:
        return None
    rows = yield _LAST_USED, (devices.hash_of(device_secret),)
    return Offer(*rows[0]) if rows and rows[0][0] is not None else None
