"""A partner's own people: created, changed, deactivated, removed, and asked about when they sign in."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from sqlalchemy import CursorResult, text, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session as Db
from sqlmodel import col

from idp import clock
from idp.accounts import sessions
from idp.audit import log, promises
from idp.audit.events import Event
from idp.database.lane import Sql, Work, drive
from idp.errors import Conflict, NotFound, Refused
from idp.provisioning.tables import PartnerPerson

_LOGINS = text(
    "SELECT l.id, l.account_id FROM login l JOIN upstream u ON u.id = l.upstream_id "
    "WHERE u.partner_id = :partner AND l.subject = :subject AND l.ended_at IS NULL"
)

_HELD = Sql(
    "UPDATE partner_person SET version = version WHERE partner_id = $1 AND external_id = $2 RETURNING id, active"
)


class Deactivated(Refused):
    """The person's organization says that this person may not come in with its login."""

    status = 403
    code = "deactivated_by_organization"
    title = "Your organization has turned this login off"


class Changed(Refused):
    """The record is not the version the caller read."""

    status = 412
    code = "version_changed"
    title = "Somebody changed this record first"


def create(db: Db, partner_id: str, *, name_key: str, external_id: str | None, facts: Mapping[str, Any]) -> str:
    """Record a person of a partner; return the id. Raises Conflict for a name or subject known already."""
    person = PartnerPerson(partner_id=partner_id, name_key=name_key, external_id=external_id)
    person.active, person.facts = _is_active(facts), dict(facts)
    _store(db, person)
    _record(db, person, "created")
    if not person.active:
        _close(db, person)
    return person.id


def change(
    db: Db,
    partner_id: str,
    person_id: str,
    *,
    name_key: str,
    external_id: str | None,
    facts: Mapping[str, Any],
    version: int | None = None,
) -> None:
    """Replace what is known of a person. Raises NotFound, Changed, Conflict.

    Where the person stops being active, or their subject changes, what the old login opened ends here.
    """
    person = _locked(db, partner_id, person_id, version)
    before = PartnerPerson(**person.model_dump())
    person.name_key, person.external_id = name_key, external_id
    person.active, person.facts = _is_active(facts), dict(facts)
    person.version, person.changed_at = person.version + 1, clock.now()
    _store(db, person)
    what = "deactivated" if before.active and not person.active else "changed"
    if what == "deactivated":
        _keep_promise(db, person, what)
    _record(db, person, what)
    if not person.active:
        _close(db, person)
    if before.external_id != external_id:
        _close(db, before)


def remove(db: Db, partner_id: str, person_id: str, *, version: int | None = None) -> None:
    """Take a person off the partner's list; what their login opened ends, and it does not open anything again."""
    person = _locked(db, partner_id, person_id, version)
    person.removed_at, person.active, person.version = clock.now(), False, person.version + 1
    _store(db, person)
    _keep_promise(db, person, "removed")
    _record(db, person, "removed")
    _close(db, person)


def turned_off(db: Db, partner_id: str, person_id: str) -> PartnerPerson | None:
    """Return a person whom this partner turned off or took off its list, None for any other."""
    person = db.get(PartnerPerson, person_id)
    return person if person is not None and person.partner_id == partner_id and not person.active else None


def find(db: Db, partner_id: str, person_id: str) -> PartnerPerson:
    """Return a person of this partner; raise NotFound for anybody else's."""
    person = db.get(PartnerPerson, person_id)
    if person is None or person.partner_id != partner_id or person.removed_at is not None:
        raise NotFound
    return person


def require_active(db: Db, partner_id: str, subject: str, *, organization: str) -> None:
    """Refuse a login whose person the partner has deactivated or removed; raise Deactivated.

    A subject the partner never told us about is not refused: not every partner sends its people. The row
    is held until the sign-in is committed, so that a deactivation at the same moment ends it.
    """
    turned_off: str | None = drive(db, turned_off_as(partner_id, subject))
    if turned_off is None:
        return
    event = Event(
        "accounts.login.refused",
        outcome="refused",
        reason="deactivated_by_organization",
        details={"partner": partner_id, "person": turned_off},
    )
    raise Deactivated(
        f"{organization} says this login is no longer in use. Ask them, or sign in with another login of yours.",
        then=(partial(log.record, event=event),),
    )


def turned_off_as(partner_id: str, subject: str) -> Work:
    """Answer which of a partner's people a subject is whom it has turned off, None for anybody else, in either lane.

    The rows are held until the commit.
    """
    rows = yield _HELD, (partner_id, subject)
    return None if any(active for _, active in rows) else max((person for person, _ in rows), default=None)


def _keep_promise(db: Db, person: PartnerPerson, what: str) -> None:
    """Keep the log's promise of the partner's own act; what it ended here is not the partner's to read."""

    def keep(promise: dict[str, Any]) -> None:
        person.promise = promise

    promises.want_named(db, f"partners.person.{what}", keep)


def _is_active(facts: Mapping[str, Any]) -> bool:
    return facts.get("active", True) is not False


def _locked(db: Db, partner_id: str, person_id: str, version: int | None) -> PartnerPerson:
    """Return the person, held by one conditional update that also proves the version the caller read."""
    same = update(PartnerPerson).where(
        col(PartnerPerson.id) == person_id,
        col(PartnerPerson.partner_id) == partner_id,
        col(PartnerPerson.removed_at).is_(None),
    )
    if version is not None:
        same = same.where(col(PartnerPerson.version) == version)
    held = db.execute(same.values(changed_at=clock.now()))
    assert isinstance(held, CursorResult)
    if held.rowcount != 1:
        find(db, partner_id, person_id)
        raise Changed("Somebody changed this record first. Read it again, then send your change.")
    person = find(db, partner_id, person_id)
    db.refresh(person)
    return person


def _store(db: Db, person: PartnerPerson) -> None:
    try:
        with db.begin_nested():
            db.add(person)
            db.flush()
    except IntegrityError:
        raise Conflict("Another person on your list has this user name or external id.") from None


def _close(db: Db, person: PartnerPerson) -> None:
    """End what this person's login at the partner opened: sessions, and the tokens born from them."""
    if person.external_id is None:
        return
    found = db.execute(_LOGINS, {"partner": person.partner_id, "subject": person.external_id}).all()
    for login_id, _account_id in found:
        sessions.end_all_of_login(db, login_id, because="deactivated_by_organization", by=person.partner_id)
    for account_id in {row[1] for row in found}:
        event = Event(
            "accounts.login.closed", account=account_id, details={"partner": person.partner_id, "person": person.id}
        )
        log.record(db, event)


def _record(db: Db, person: PartnerPerson, what: str) -> None:
    event = Event(
        f"partners.person.{what}",
        details={"partner": person.partner_id, "person": person.id, "active": person.active, "version": person.version},
    )
    log.record(db, event)
