"""Tell a person that somebody signed in on a device new to their account (domain.md 9).

Known is a device whose cookie came back after a whole sign-in; nothing else about a browser is measured or compared.
The very first sign-in of an account tells nobody. Both lanes write the same mail and the same records.
"""

from collections.abc import Callable
from datetime import datetime

import orjson
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import devices, places
from idp.accounts.tables import KnownDevice, Session
from idp.audit import log, origin
from idp.audit.events import Event
from idp.audit.log import StoredKey
from idp.database import Database, of
from idp.database.lane import Sql, Work
from idp.notices import outbox, saying

TEMPLATE = "new_device"
_TELL = Sql(
    "INSERT INTO outbox (account_id, recipient, template, facts, tries, next_try_at, created_at) "
    "SELECT c.account_id, c.email, 'new_device', CAST($2 AS TEXT), 0, CAST($3 AS BIGINT), CAST($3 AS BIGINT) "
    "FROM contact c WHERE c.account_id = $1 AND EXISTS (SELECT 1 FROM session s WHERE s.account_id = $1) RETURNING 1"
)


def tell(db: Db, account_id: str, device_id: str, user_agent: str | None) -> None:
    """Tell every address of the account, unless the device is known or nobody signed in before."""
    if db.get(KnownDevice, (device_id, account_id)) is not None:
        return
    if db.exec(select(Session.id).where(col(Session.account_id) == account_id).limit(1)).first() is None:
        return
    log.record(db, _met(account_id, device_id))
    outbox.send(db, account_id, TEMPLATE, _facts(user_agent, clock.now(), of(db).settings.time_zone))


def telling(
    database: Database, account_id: str, device_id: str, user_agent: str | None, *, now: datetime, key: StoredKey | None
) -> Callable[[], Work]:
    """Return the work that tells, in a group of the lane, before the session is inserted.

    The caller has read that the device is not known.
    """
    facts = orjson.dumps(_facts(user_agent, now, database.settings.time_zone), option=orjson.OPT_SORT_KEYS).decode()
    met = log.person_record(database, _met(account_id, device_id), now, key)
    details = {"template": TEMPLATE}
    written = log.person_record(database, Event("notices.mail.written", account=account_id, details=details), now, key)

    def work() -> Work:
        told = yield _TELL, (account_id, facts, clock.micros(now))
        if told:
            yield from met()
            yield from written()

    return work


def _met(account_id: str, device_id: str) -> Event:
    return Event("accounts.device.met", account=account_id, details={"device": device_id})


def _facts(user_agent: str | None, now: datetime, zone: str) -> dict[str, str]:
    where = places.words(origin.current().address, None)
    return {"device": devices.label_of(user_agent), "when": saying.moment(now, zone), "where": where}
