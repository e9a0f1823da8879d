"""People not seen for long: warned, then paused, then what they were given ends (domain.md 7: 60, 90, 180 days).

Each step follows from the one before and from silence since, so nobody is paused without a warning, and old sessions
may be deleted. Who is seen again before the pause is forgotten here; after it, an access manager lifts it. The
authority of access managers is no grant and does not go this way: reviews and succession look after it. Who is
recorded as away is not silent: the time away and what comes of it does not count.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, delete, exists, func, or_
from sqlmodel import Session, col, select

from idp import clock, configuration
from idp.accounts.tables import Account
from idp.accounts.tables import Session as BrowserSession
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.entitlements import grants, pauses
from idp.entitlements.grant_rows import Place
from idp.entitlements.tables import Absence, Grant
from idp.errors import NotEntitled, NotFound
from idp.leaving import telling
from idp.notices import outbox
from idp.providers.tables import Affiliation, Provider
from idp.wam import authority
from idp.wam.tables import Inactivity

INACTIVE = "inactive"
"""Why a pause was made: the person was not seen."""
BATCH = 100


def forget(db: Session) -> int:
    """Forget the warnings of people who were seen since; return how many."""
    rows = db.exec(
        select(Inactivity)
        .where(
            col(Inactivity.stage) == "warned",
            or_(_seen_after(col(Inactivity.since)), _away_after(Inactivity, col(Inactivity.since))),
        )
        .limit(BATCH)
    ).all()
    for row in rows:
        db.delete(row)
    db.flush()
    return len(rows)


def warn(db: Session) -> int:
    """Warn people not seen, and given nothing, for 60 days where they have access; return how many."""
    clocks, now = configuration.current(db).clocks, clock.now()
    since = now - clocks.inactivity_warns
    given = exists().where(
        col(Grant.account_id) == col(Affiliation.account_id),
        col(Grant.provider_id) == col(Affiliation.provider_id),
        col(Grant.ended_at).is_(None),
        col(Grant.effect) == "allow",
    )
    known = exists().where(
        col(Inactivity.account_id) == col(Affiliation.account_id),
        col(Inactivity.provider_id) == col(Affiliation.provider_id),
    )
    due = db.exec(
        select(Affiliation)
        .join(Account, col(Account.id) == col(Affiliation.account_id))
        .where(
            col(Affiliation.ended_at).is_(None),
            col(Affiliation.starts_at) <= since,
            col(Account.status) == "active",
            given,
            ~given.where(col(Grant.not_before) > since),
            ~known,
            ~_away_after(Affiliation, since),
            ~exists().where(
                col(BrowserSession.account_id) == col(Affiliation.account_id), col(BrowserSession.last_seen_at) > since
            ),
        )
        .order_by(col(Affiliation.id))
        .limit(BATCH)
    ).all()
    for tie in due:
        db.add(Inactivity(account_id=tie.account_id, provider_id=tie.provider_id, stage="warned", since=now))
        day = now + (clocks.inactivity_suspends - clocks.inactivity_warns)
        _tell(db, "inactivity_warned", (tie.account_id, tie.provider_id), clocks.inactivity_warns.days, day)
        _log(db, "wam.inactivity.warned", tie.account_id, tie.provider_id)
    db.flush()
    return len(due)


def pause(db: Session) -> int:
    """Pause what people hold who stayed silent after the warning; return how many."""
    clocks, now = configuration.current(db).clocks, clock.now()
    after = clocks.inactivity_suspends - clocks.inactivity_warns
    rows = _due(db, "warned", now - after)
    for row in rows:
        for line, keys in _held(db, row).items():
            pauses.suspend(db, Place(row.account_id, row.provider_id, line), sorted(keys), by="system", reason=INACTIVE)
        row.stage, row.since = "paused", now
        db.add(row)
        day = now + (clocks.inactivity_ends - clocks.inactivity_suspends)
        _tell(db, "inactivity_paused", (row.account_id, row.provider_id), clocks.inactivity_suspends.days, day)
        _log(db, "wam.inactivity.paused", row.account_id, row.provider_id)
    db.flush()
    return len(rows)


def end(db: Session) -> int:
    """End what nobody took up again; return how many people lost it."""
    clocks, now = configuration.current(db).clocks, clock.now()
    rows = _due(db, "paused", now - (clocks.inactivity_ends - clocks.inactivity_suspends))
    for row in rows:
        rows_here = authority.not_ended(db, row.provider_id, row.account_id)
        silent = {(g.line_of_business, g.entitlement) for g in rows_here if _is_pause(g)}
        for one in rows_here:  # what somebody gave since the pause, they gave knowingly
            if (one.line_of_business, one.entitlement) in silent and (one.effect == "allow" or _is_pause(one)):
                grants.end(db, one, by="system", reason=INACTIVE)
        if silent:  # nobody, when the person left meanwhile
            _tell(db, "inactivity_ended", (row.account_id, row.provider_id), clocks.inactivity_ends.days, now)
            _log(db, "wam.inactivity.ended", row.account_id, row.provider_id)
        db.delete(row)
    db.flush()
    return len(rows)


STEPS = (forget, warn, pause, end)
"""Each in a transaction of its own."""


def paused(db: Session, account_id: str, provider_id: str, lines: Collection[str]) -> bool:
    """Say whether a person's access to a practice, in these lines, is paused because they were not seen."""
    rows = authority.not_ended(db, provider_id, account_id)
    return any(_is_pause(row) and row.line_of_business in lines for row in rows)


def lift(db: Session, *, by: str, provider_id: str, account_id: str) -> int:
    """Let a paused person go on, in the lines this manager manages; return how many functions go on.

    Raises NotFound when nothing is paused, NotEntitled for oneself.
    """
    managed = authority.lines_of(db, by, provider_id)
    authority.person(db, provider_id, account_id, lock=True)
    if account_id == by:
        raise NotEntitled("Another access manager lifts your pause.", code="may_not_give")
    pauses = [g for g in authority.not_ended(db, provider_id, account_id) if g.reason == INACTIVE]
    mine = [g for g in pauses if g.line_of_business in managed and g.effect == "deny"]
    if not mine:
        raise NotFound
    for line in sorted({g.line_of_business for g in mine}):
        authority.must_manage(db, by, provider_id, line)
    for one in mine:
        grants.end(db, one, by=by, reason="lifted")
    if len(mine) == len(pauses):
        db.execute(
            delete(Inactivity).where(
                col(Inactivity.account_id) == account_id, col(Inactivity.provider_id) == provider_id
            )
        )
    _log(db, "wam.inactivity.lifted", account_id, provider_id, by=by)
    return len(mine)


def _seen_after(moment: Any) -> ColumnElement[bool]:
    return exists().where(
        col(BrowserSession.account_id) == col(Inactivity.account_id), col(BrowserSession.last_seen_at) > moment
    )


def _is_pause(row: Grant) -> bool:
    return row.effect == "deny" and row.reason == INACTIVE


def _away_after(whose: type[Affiliation] | type[Inactivity], moment: Any) -> ColumnElement[bool]:
    """Return the condition of an absence that has begun and was not over by a moment."""
    over = func.coalesce(col(Absence.ended_at), col(Absence.ends_at))
    return exists().where(
        col(Absence.account_id) == col(whose.account_id),
        col(Absence.provider_id) == col(whose.provider_id),
        col(Absence.starts_at) <= clock.now(),
        or_(over.is_(None), over > moment),
    )


def _due(db: Session, stage: str, since: datetime) -> list[Inactivity]:
    query = select(Inactivity).where(
        col(Inactivity.stage) == stage, col(Inactivity.since) <= since, ~_away_after(Inactivity, since)
    )
    if stage == "warned":
        query = query.where(~_seen_after(col(Inactivity.since)))
    locked = query.order_by(col(Inactivity.since)).limit(BATCH).with_for_update(skip_locked=True)
    return list(db.exec(locked).all())


def _held(db: Session, row: Inactivity) -> dict[str, set[str]]:
    """Return what a person holds, by line, and is not paused for this already."""
    held: dict[str, set[str]] = {}
    for one in authority.not_ended(db, row.provider_id, row.account_id):
        if one.effect == "allow":
            held.setdefault(one.line_of_business, set()).add(one.entitlement)
    return held


def _tell(db: Session, template: str, who: tuple[str, str], days: int, day: datetime) -> None:
    """Write to the person and to the access managers of the practice."""
    account_id, provider_id = who
    account, provider = db.get(Account, account_id), db.get(Provider, provider_id)
    local = day.astimezone(ZoneInfo(of(db).settings.time_zone))
    facts = {
        "name": account.display_name if account else "",
        "provider": provider.name if provider else "",
        "days": str(days),
        "day": f"{local:%b} {local.day}, {local.year}",
        "people": f"{of(db).settings.issuer}/p/{provider_id}/people/{account_id}",
    }
    for one in sorted(telling.managers_of(db, provider_id) | {account_id}):
        outbox.send(db, one, template, facts)


def _log(db: Session, event: str, account_id: str, provider_id: str, by: str = "system") -> None:
    log.record(db, Event(event, account=account_id, provider=provider_id, details={"by": by}))
