"""Emergency access (break glass): a person of the practice takes functions for a short time, and says why.

What may be taken is the insurer's list, of it what the practice holds, never what moves money or gives access, and
never past a pause: who is away, not seen for long or under review stays so. Every access manager of the line hears
of it at once, every decision by it shows it (its grants begin with `emg_`), and one of them, or the insurer's desk,
looks at it by the next business day.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col, select

from idp import clock, configuration, entropy
from idp.accounts import humans
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.database.inserting import insert_unless_there
from idp.entitlements import catalog, grants
from idp.entitlements.tables import Entitlement, Grant
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.leaving import telling
from idp.notices import outbox, saying
from idp.providers.tables import Provider
from idp.wam import authority, emergency_bars, holdings
from idp.wam.tables import EmergencyUse

MOST_SENSITIVE = 4
VERDICTS = {"justified": "Justified", "not_justified": "Not justified"}
MOST_SHOWN = 200
"""Uses a list holds; it says so where there may be more."""


class NotForEmergency(NotEntitled):
    """Nothing can be taken for an emergency by this person here."""

    code = "may_not_give"
    title = "Emergency access is not open to you here"


def functions(db: Session, account_id: str, provider_id: str, line: str) -> dict[str, Entitlement]:
    """Return what a person could take: on the insurer's list, held by the practice, not held by them yet."""
    listed = configuration.current(db).emergency.functions
    held = holdings.functions(db, authority.provider(db, provider_id), line)
    mine = {g.entitlement for g in grants.live(db, account_id, provider_id, clock.now()) if g.line_of_business == line}
    return {
        key: held[key]
        for key in listed
        if key in held and held[key].sensitivity <= MOST_SENSITIVE and held[key].app != "Access" and key not in mine
    }


def start(db: Session, *, account_id: str, provider_id: str, line: str, reason: str) -> EmergencyUse:
    """Take what the list allows, from now, for four hours at most; everybody concerned is told.

    Raises NotFound for a practice one does not work for, NotForEmergency for an outside company's person, a paused
    one, or where there is nothing to take, Barred after one that was not justified, Invalid without a reason, Conflict
    while one runs.
    """
    person = authority.person(db, provider_id, account_id, lock=True)
    if person.affiliation is None or person.affiliation.starts_at > clock.now():
        raise NotFound
    said = " ".join(reason.split())
    if not 10 <= len(said) <= 300:
        raise Invalid(fields={"reason": "Say what the emergency is, in 10 to 300 characters."})
    if person.account.status != "active" or person.affiliation.partner_id is not None:
        raise NotForEmergency("Emergency access is for people of the practice itself. Ask an access manager.")
    if any(g.effect == "deny" for g in grants.live(db, account_id, provider_id, clock.now())):
        raise NotForEmergency("Your access here is paused. Ask an access manager.")
    emergency_bars.check(db, account_id, provider_id)
    if running(db, account_id, provider_id) is not None:
        raise Conflict("You have emergency access here already.")
    offered = functions(db, account_id, provider_id, line)
    if not offered:
        raise NotForEmergency("There is nothing more you could take here.")
    now = clock.now()
    ends = now + configuration.current(db).clocks.emergency
    close_run_out(db, account_id=account_id)
    made = EmergencyUse(
        account_id=account_id,
        provider_id=provider_id,
        line=line,
        functions=sorted(offered),
        grants=[entropy.new_id("emg") for _ in offered],
        reason=said,
        starts_at=now,
        ends_at=ends,
        due_at=clock.next_business_day(now, of(db).settings.time_zone, configuration.current(db).insurer.holidays),
    )
    if not insert_unless_there(db, EmergencyUse, made.model_dump()):
        raise Conflict("You have emergency access here already.")
    for key, grant_id in zip(made.functions, made.grants, strict=True):
        grants.grant(
            db,
            account_id=account_id,
            provider_id=provider_id,
            line=line,
            entitlement=str(key),
            by="system",
            reason=f"emergency {made.id}",
            expires_at=ends,
            grant_id=str(grant_id),
        )
    use = db.get(EmergencyUse, made.id)
    assert use is not None
    _log(db, "entitlements.emergency.started", use, account_id, personal={"reason": said})
    _tell(db, "emergency_started", use)
    return use


def end(db: Session, use: EmergencyUse, *, by: str) -> bool:
    """End a use early, by the person or an access manager; return False when it had ended."""
    if not _close(db, use, by, clock.now()):
        return False
    for grant_id in use.grants:
        row = db.get(Grant, str(grant_id))
        if row is not None:
            grants.end(db, row, by=by, reason="emergency_over")
    return True


def close_run_out(db: Session, limit: int = 200, *, account_id: str | None = None) -> int:
    """Mark uses over that reached their end (their grants end by their own date); return how many."""
    query = select(EmergencyUse).where(col(EmergencyUse.ended_at).is_(None), col(EmergencyUse.ends_at) <= clock.now())
    if account_id is not None:
        query = query.where(col(EmergencyUse.account_id) == account_id)
    return sum(_close(db, use, "system", use.ends_at) for use in db.exec(query.limit(limit)).all())


def review(db: Session, use: EmergencyUse, *, by: str, verdict: str, note: str, desk: bool = False) -> None:
    """Say whether a use was justified; once, and never about one's own. The person is told.

    One that was not ends, with any the person has taken here since, and bars the next (`emergency_bars`). `desk` says
    that the insurer's security desk judges, not an access manager of the line it was taken in. Raises NotEntitled for
    oneself, NotYourLine, Invalid without verdict or sentence, Conflict when it was reviewed.
    """
    if by in humans.same(db, use.account_id):
        raise NotEntitled("Nobody reviews their own emergency access.", code="may_not_give")
    if not desk:
        authority.must_manage(db, by, use.provider_id, use.line)
    said = " ".join(note.split())
    fields = {}
    if verdict not in VERDICTS:
        fields["verdict"] = "Choose what you found."
    if not said or len(said) > 300:
        fields["note"] = "Say what you looked at, in at most 300 characters."
    if fields:
        raise Invalid(fields=fields)
    who = humans.survivor(db, use.account_id)
    db.exec(select(Account.id).where(col(Account.id) == who).with_for_update()).one()  # a start waits for the verdict
    done = db.execute(
        update(EmergencyUse)
        .where(col(EmergencyUse.id) == use.id, col(EmergencyUse.reviewed_at).is_(None))
        .values(reviewed_by=by, reviewed_at=clock.now(), verdict=verdict, note=said, by_desk=desk)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(done, CursorResult)
    if done.rowcount != 1:
        raise Conflict("Somebody reviewed this a moment ago.")
    db.refresh(use)
    if verdict == "not_justified":
        end(db, use, by=by)
        since = running(db, who, use.provider_id)
        if since is not None:
            end(db, since, by=by)
    _log(db, "entitlements.emergency.reviewed", use, by, verdict=verdict)
    reviewer, provider = db.get(Account, by), db.get(Provider, use.provider_id)
    facts = {
        "by": reviewer.display_name if reviewer else "",
        "provider": provider.name if provider else "",
        "verdict": VERDICTS[verdict].lower(),
        "note": said,
    }
    if verdict == "not_justified":
        facts["note"] += " None is open to you there until somebody opens it again; the page says whom to ask."
    outbox.send(db, who, "emergency_reviewed", facts)


def remind(db: Session, limit: int = 100) -> int:
    """Write to access managers and the insurer about uses nobody reviewed in time, once; return how many."""
    due = db.exec(
        select(EmergencyUse)
        .where(
            col(EmergencyUse.reviewed_at).is_(None),
            col(EmergencyUse.reminded).is_(False),
            col(EmergencyUse.due_at) <= clock.now(),
        )
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    for use in due:
        use.reminded = True
        db.add(use)
        _log(db, "entitlements.emergency.overdue", use, "system")
        _tell(db, "emergency_overdue", use)
    db.flush()
    return len(due)


def running(db: Session, account_id: str, provider_id: str) -> EmergencyUse | None:
    """Return the use a person has at a practice now, or None."""
    return db.exec(
        select(EmergencyUse).where(
            col(EmergencyUse.account_id) == account_id,
            col(EmergencyUse.provider_id) == provider_id,
            col(EmergencyUse.ended_at).is_(None),
            col(EmergencyUse.ends_at) > clock.now(),
        )
    ).first()


def to_review(db: Session) -> list[EmergencyUse]:
    """Return the uses nobody has looked at, those due first."""
    query = select(EmergencyUse).where(col(EmergencyUse.reviewed_at).is_(None))
    return list(db.exec(query.order_by(col(EmergencyUse.due_at), col(EmergencyUse.id)).limit(MOST_SHOWN)).all())


def reviewed(db: Session, limit: int = 50) -> list[EmergencyUse]:
    """Return the uses reviewed last."""
    query = select(EmergencyUse).where(col(EmergencyUse.reviewed_at).is_not(None))
    return list(db.exec(query.order_by(col(EmergencyUse.reviewed_at).desc()).limit(limit)).all())


def of_practice(db: Session, provider_id: str, lines: Collection[str]) -> list[EmergencyUse]:
    """Return a practice's uses in these lines of business, newest first."""
    query = select(EmergencyUse).where(col(EmergencyUse.provider_id) == provider_id, col(EmergencyUse.line).in_(lines))
    return list(db.exec(query.order_by(col(EmergencyUse.starts_at).desc()).limit(MOST_SHOWN)).all())


def find(db: Session, use_id: str) -> EmergencyUse:
    """Return a use; anything else is NotFound."""
    found = db.get(EmergencyUse, use_id, populate_existing=True)
    if found is None:
        raise NotFound
    return found


def find_here(db: Session, use_id: str, provider_id: str, lines: Collection[str]) -> EmergencyUse:
    """Return a use of this practice in these lines of business; anything else is NotFound."""
    found = find(db, use_id)
    if found.provider_id != provider_id or found.line not in lines:
        raise NotFound
    return found


def end_for_practice(db: Session, use: EmergencyUse, *, by: str) -> bool:
    """End a use as an access manager of its line; return False when it had ended. Raises NotYourLine."""
    authority.must_manage(db, by, use.provider_id, use.line)
    return end(db, use, by=by)


def _close(db: Session, use: EmergencyUse, by: str, at: datetime) -> bool:
    closed = db.execute(
        update(EmergencyUse)
        .where(col(EmergencyUse.id) == use.id, col(EmergencyUse.ended_at).is_(None))
        .values(ended_at=at, ended_by=by)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(closed, CursorResult)
    if closed.rowcount != 1:
        return False
    db.refresh(use)
    _log(db, "entitlements.emergency.ended", use, by)
    return True


def _tell(db: Session, template: str, use: EmergencyUse) -> None:
    """Write to every access manager of the line, to the insurer's desk, and to the person when it starts."""
    account, provider = db.get(Account, use.account_id), db.get(Provider, use.provider_id)
    names = {e.key: e.name for e in catalog.everything(db, insurer_side=False)}
    zone, issuer = of(db).settings.time_zone, of(db).settings.issuer
    facts = {
        "name": account.display_name if account else "",
        "provider": provider.name if provider else "",
        "functions": ", ".join(names.get(str(key), str(key)) for key in use.functions),
        "until": saying.moment(use.ends_at, zone),
        "due": saying.end_of_day(use.due_at, zone),
        "reason": use.reason,
        "page": f"{issuer}/p/{use.provider_id}/emergency",
    }
    told = telling.managers_of(db, use.provider_id, use.line) | (
        {use.account_id} if template == "emergency_started" else set()
    )
    for account_id in sorted(told):
        outbox.send(db, account_id, template, facts)
    desk = facts | {"page": f"{issuer}/security/emergency"}
    outbox.send(db, use.account_id, template, desk, to=(configuration.current(db).insurer.help_email,))


def _log(
    db: Session, event: str, use: EmergencyUse, by: str, *, personal: dict[str, str] | None = None, **more: str
) -> None:
    details = {"use": use.id, "line": use.line, "functions": use.functions, "by": by, **more}
    log.record(
        db, Event(event, account=use.account_id, provider=use.provider_id, details=details, personal=personal or {})
    )
