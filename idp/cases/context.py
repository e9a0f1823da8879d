"""What each reader of a question or notice may know: their own person, their own practice, and nothing beyond."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, or_, select

from idp import clock
from idp.accounts import humans
from idp.accounts.tables import Device
from idp.cases import file, words
from idp.cases.tables import SecurityCase
from idp.database import of
from idp.entitlements.tables import Entitlement
from idp.notices import saying
from idp.providers.tables import Affiliation, Provider

_ROW = ("at", "device", "function", "session")
"""What a reader sees of a row of evidence. Never an address, another account, or a name the detector wrote."""
_MOST = 40


def person(db: Db, case: SecurityCase) -> str:
    """Return the account of whom a case is about, the one that took theirs over; "" while nobody is named."""
    return humans.survivor(db, case.account_id) if case.account_id else ""


def practices(db: Db, account_id: str | None) -> list[Provider]:
    """Return where a person works now: the practices a case concerns, by name."""
    if account_id is None:
        return []
    account_id, now = humans.survivor(db, account_id), clock.now()
    found = db.exec(
        select(Provider)
        .join(Affiliation, col(Affiliation.provider_id) == col(Provider.id))
        .where(
            col(Affiliation.account_id) == account_id,
            col(Affiliation.ended_at).is_(None),
            or_(col(Affiliation.ends_at).is_(None), col(Affiliation.ends_at) > now),
        )
        .distinct()
    ).all()
    return sorted(found, key=lambda one: (one.name, one.id))


def concerned(db: Db, case: SecurityCase) -> list[Provider]:
    """Return the practices a notice of a case goes to: also those at which the case ended the person's work."""
    found = {one.id: one for one in practices(db, case.account_id)}
    if case.account_id is not None:
        ended = db.exec(
            select(Provider)
            .join(Affiliation, col(Affiliation.provider_id) == col(Provider.id))
            .where(
                col(Affiliation.account_id) == humans.survivor(db, case.account_id),
                col(Affiliation.ended_at) >= case.created_at,
                col(Affiliation.end_reason).in_(("case", "ceased")),
            )
        ).all()
        found |= {one.id: one for one in ended}
    return sorted(found.values(), key=lambda one: (one.name, one.id))


def of_case(db: Db, case: SecurityCase, provider_id: str | None = None) -> dict[str, Any]:
    """Return what was seen, in our own sentences, with the rows of one practice (or, for the person, of all).

    A practice is told of a kind of evidence only where a row of it is theirs.
    """
    seen: list[str] = []
    rows: list[dict[str, str]] = []
    for reason in _reasons(db, case):
        given = reason.get("rows", ())
        theirs = [row for row in given if provider_id is None or row.get("provider") == provider_id]
        if provider_id is not None and given and not theirs:
            continue
        sentence = words.seen(str(reason.get("kind", "")))
        if sentence not in seen and (provider_id is None or theirs):
            seen.append(sentence)
        rows += [{name: str(row[name])[:80] for name in _ROW if row.get(name)} for row in theirs]
    unique = list({tuple(sorted(row.items())): row for row in rows}.values())
    newest = sorted(unique, key=lambda row: row.get("at", ""))[-_MOST:]
    zone = of(db).settings.time_zone
    return {"seen": seen, "rows": [_readable(db, row, zone) for row in newest]}


def _readable(db: Db, row: Mapping[str, str], zone: str) -> dict[str, str]:
    """Return a row with its time, function and device by the names people know from their own pages."""
    said = {**row, "at": _moment(row.get("at", ""), zone)}
    device = db.get(Device, row["device"][:40]) if "device" in row else None
    function = db.get(Entitlement, row["function"]) if "function" in row else None
    if function is not None:
        said["function"] = function.name
    if device is not None:
        said["device"] = f"{device.label} ({device.id[-4:]})"
    return said


def _moment(written: str, zone: str) -> str:
    """Return a row's time as people read it; as it was written where it is none."""
    try:
        return saying.moment(datetime.fromisoformat(written), zone)
    except ValueError:
        return written


def _reasons(db: Db, case: SecurityCase) -> Iterator[Mapping[str, Any]]:
    for entry in file.entries(db, case.id):
        if entry.kind in ("opened", "added") and entry.body is not None:
            yield from entry.body.get("evidence", {}).get("reasons", ())
