"""Separation of duties: pairs of functions, and in development who is excepted until when."""

from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.apply.schema.policy import Duty
from idp.apply.schema.policy import DutyException as Wanted
from idp.apply.source import Place
from idp.apply.work import References, Work
from idp.catalogue import exceptions
from idp.entitlements import duties
from idp.entitlements.defaults import CONFLICTS
from idp.entitlements.duty_tables import DutyConflict, DutyException


def apply(work: Work, entries: list[Duty]) -> None:
    """Forbid and allow pairs; who holds one already keeps it and is marked in reviews."""
    for index, entry in enumerate(entries):
        with work.entry(("duties", index)):
            _pair(work, entry)


def _pair(work: Work, entry: Duty) -> None:
    db, key = work.db, " with ".join(sorted((entry.first, entry.second)))
    row = _standing(db, entry)
    if row is not None and (entry.ended or row.why != entry.why):
        exceptions.end_pair(db, row.id, by="operator")
        work.difference.add("ended", "duties", key)
        row = None
    if row is None and not entry.ended:
        db.flush()
        exceptions.add_pair(db, entry.first, entry.second, why=entry.why, by="operator")
        work.difference.add("added", "duties", key)


def apply_exceptions(work: Work, entries: list[Duty]) -> None:
    """Except people, who must be known by now."""
    for index, entry in enumerate(entries):
        row = _standing(work.db, entry)
        for number, wanted in enumerate(entry.exceptions):
            place: Place = ("duties", index, "exceptions", number)
            if row is None:
                raise work.wrong(place, "the pair is not in force, so nobody needs an exception")
            with work.entry(place):
                _except(work, row, wanted, place)


def _except(work: Work, pair: DutyConflict, wanted: Wanted, place: Place) -> None:
    db = work.db
    person = work.id_of("people", wanted.person, (*place, "person"))
    provider = work.id_of("providers", wanted.provider, (*place, "provider"))
    known = db.exec(
        select(DutyException).where(
            col(DutyException.conflict_id) == pair.id,
            col(DutyException.account_id) == person,
            col(DutyException.provider_id) == provider,
            col(DutyException.line) == wanted.line,
            col(DutyException.ends_at) == wanted.until,
        )
    ).first()
    key = f"{wanted.person} at {wanted.provider}"
    if known is not None:
        if known.ended_at is not None:
            work.difference.add("kept", "duties", key, because="was taken back since; it is not given again")
        return
    made = exceptions.ask(
        db,
        pair_id=pair.id,
        account_id=person,
        provider_id=provider,
        line=wanted.line,
        reason=wanted.reason,
        ends_at=wanted.until,
        by=_who(work, wanted.asked_by, place),
    )
    exceptions.confirm(db, made, by=_who(work, wanted.confirmed_by, place))
    work.difference.add("added", "duties", key)


def _who(work: Work, ref: str, place: Place) -> str:
    return ref if ref == "operator" else work.id_of("people", ref, place)


def _standing(db: Db, entry: Duty) -> DutyConflict | None:
    first, second = sorted((entry.first, entry.second))
    return next((row for row in duties.pairs(db) if (row.first, row.second) == (first, second)), None)


def export(db: Db, names: References, *, development: bool) -> list[dict[str, Any]]:
    """Return the pairs that are not as by default; in development with the exceptions in force."""
    standing = {(row.first, row.second): row for row in duties.pairs(db)}
    usual = {(first, second): why for first, second, why in CONFLICTS}
    found: list[dict[str, Any]] = []
    for pair, row in standing.items():
        excepted = _exceptions(db, row, names) if development else []
        if usual.get(pair) != row.why or excepted:
            entry: dict[str, Any] = {"first": pair[0], "second": pair[1], "why": row.why}
            found.append(entry | ({"exceptions": excepted} if excepted else {}))
    gone = [(pair, why) for pair, why in usual.items() if pair not in standing]
    return found + [{"first": a, "second": b, "why": why, "ended": True} for (a, b), why in gone]


def _exceptions(db: Db, pair: DutyConflict, names: References) -> list[dict[str, Any]]:
    rows = db.exec(
        select(DutyException)
        .where(
            col(DutyException.conflict_id) == pair.id,
            col(DutyException.confirmed_at).is_not(None),
            col(DutyException.ended_at).is_(None),
            col(DutyException.ends_at) > clock.now(),
        )
        .order_by(col(DutyException.created_at), col(DutyException.id))
    ).all()
    people, providers = names.named("people"), names.named("providers")
    return [
        {
            "person": people.get(row.account_id, row.account_id),
            "provider": providers.get(row.provider_id, row.provider_id),
            "line": row.line,
            "reason": row.reason,
            "until": row.ends_at,
            "asked_by": people.get(row.asked_by, row.asked_by),
            "confirmed_by": people.get(row.confirmed_by or "", row.confirmed_by),
        }
        for row in rows
    ]
