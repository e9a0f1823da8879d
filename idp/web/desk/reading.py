"""What the security desk types, turned into ids and moments, so that no name stands in an address."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session as Db
from sqlmodel import and_, col, func, or_, select

from idp import clock
from idp.accounts.tables import Account, Contact, Login
from idp.audit import search
from idp.database import of
from idp.errors import Invalid
from idp.providers.tables import Provider

_HASHED = re.compile("[0-9a-f]{32}")


def understood(db: Db, typed: dict[str, str], zone: ZoneInfo) -> dict[str, str]:
    """Turn names into ids and dates of the desk's zone into moments; raise Invalid."""
    given = dict(typed)
    problems: dict[str, str] = {}
    for name in ("since", "until"):
        if name in typed:
            moment = _moment(typed[name], zone, end=name == "until")
            if moment is None:
                problems[name] = "Enter a date such as 11/21/2026, with a time such as 14:30 if you like."
            else:
                given[name] = clock.iso(moment)
    if "person" in typed and not typed["person"].startswith(("acc_", "system", "operator")):
        found = people(db, typed["person"])
        if len(found) == 1:
            given["person"] = found[0][0]
        else:
            problems["person"] = (
                "Several people fit. Choose one below, or enter an e-mail, a user name or the account's id."
                if found
                else "Nobody has this name, e-mail or user name. Check the spelling, or enter the account's id."
            )
    if "provider" in typed and not typed["provider"].startswith("prv_"):
        try:
            given["provider"] = practice(db, typed["provider"])
        except Invalid as refusal:
            problems |= refusal.fields
    if "address" in typed and not _HASHED.fullmatch(typed["address"]):
        hashed = search.hashed(of(db).ring, typed["address"])
        if hashed is None:
            problems["address"] = "Enter a network address such as 203.0.113.9."
        else:
            given["address"] = hashed
    if problems:
        raise Invalid(fields=problems)
    return given


def practice(db: Db, typed: str) -> str:
    """Return the id of the one practice with this name, or with this part of it, or this id; raise Invalid."""
    if typed.startswith("prv_"):
        return typed
    found = practices(db, typed)
    if len(found) != 1:
        problem = "Several practices fit. Choose one below." if found else "No practice has this in its name."
        raise Invalid(fields={"provider": problem})
    return found[0][0]


def practices(db: Db, words: str) -> list[tuple[str, str]]:
    """Return the ids and names of at most 20 practices: those of exactly this name, else whose name holds each word."""
    low = " ".join(words.split()).lower()
    name = func.lower(col(Provider.name))
    for condition in (name == low, and_(*(name.contains(word, autoescape=True) for word in low.split()))):
        query = select(Provider.id, Provider.name).where(condition).order_by(name, col(Provider.id)).limit(20)
        found = [(str(one), str(label)) for one, label in db.execute(query).all()] if len(low) > 1 else []
        if found:
            return found
    return []


def people(db: Db, words: str) -> list[tuple[str, str]]:
    """Return the ids and names of at most 20 people: who has exactly this name or address, else whose name holds it."""
    query = select(Account.id, Account.display_name)
    return [(str(who), str(label)) for who, label in fitting(db, query, words, 20)]


def fitting(db: Db, query: Any, words: str, most: int) -> Sequence[Any]:
    """Return at most so many rows of a query of accounts: exactly this name, address or user name, else part of it."""
    low = " ".join(words.split()).lower()
    if len(low) < 2:
        return []
    name = func.lower(col(Account.display_name))
    exact = or_(
        name == low,
        col(Account.id).in_(select(Contact.account_id).where(col(Contact.email) == low)),
        col(Account.id).in_(
            select(Login.account_id).where(col(Login.subject) == low, col(Login.upstream_id).is_(None))
        ),
    )
    for condition in (exact, and_(*(name.contains(word, autoescape=True) for word in low.split()))):
        found = db.execute(query.where(condition).order_by(name, col(Account.id)).limit(most)).all()
        if found:
            return found
    return []


def _moment(typed: str, zone: ZoneInfo, *, end: bool) -> datetime | None:
    """Read a date, with or without time, in the desk's zone; an end date includes its day."""
    for form in ("%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M %p", "%m/%d/%Y"):
        try:
            moment = datetime.strptime(typed, form).replace(tzinfo=zone)
        except ValueError:
            continue
        return moment + timedelta(days=1) if end and form == "%m/%d/%Y" else moment
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError:
        return None
    whole_day = len(typed) == 10
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    return moment + timedelta(days=1) if end and whole_day else moment
