"""A claim or payment of the last 60 days, which only the practice can know (W-1, domain.md 7).

The insurer's claim system hands over a list; what is kept of a line is a keyed hash and a date. Each proves once.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sqlalchemy import CursorResult, func, update
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.database.inserting import insert_unless_there
from idp.errors import Invalid, TooMany
from idp.providers import identifiers
from idp.registration import first_manager, practices
from idp.registration.tables import FirstManagerClaim, PracticeFact

KINDS = ("claim", "payment")
COLUMNS = ("tin", "kind", "number", "amount", "date")
MOST_WRONG_AT_PRACTICE = 15
"""Wrong proofs against one practice within a day, whoever made them, after which this way is closed for a time."""
_MONEY = re.compile(r"^\$?(\d{1,9})(?:\.(\d{2}))?$")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a list: lines taken over, known before, and wrong (line number, what is wrong)."""

    new: int
    known: int
    wrong: tuple[tuple[int, str], ...]


def load(db: Db, lines: Iterable[str]) -> Loaded:
    """Take over a CSV list (tin, kind, number, amount, date); lines older than the limit are left out as known."""
    keep = configuration.current(db).clocks.first_manager_fact
    new, known, wrong = 0, 0, []
    for number, row in _rows(lines):
        try:
            fact_hash, day = _hashed(db, row)
        except ValueError as problem:
            wrong.append((number, str(problem)))
            continue
        ends = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1) + keep
        fact = PracticeFact(fact_hash=fact_hash, expires_at=ends)
        fresh = ends > clock.now() and insert_unless_there(db, PracticeFact, fact.model_dump())
        new, known = new + fresh, known + (not fresh)
    log.record(db, Event("registration.facts.loaded", details={"new": new, "known": known, "wrong": len(wrong)}))
    return Loaded(new, known, tuple(wrong))


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(lines)
    try:
        if sorted(reader.fieldnames or ()) != sorted(COLUMNS):
            raise Invalid(f"The first line must name these columns: {', '.join(COLUMNS)}.")
        for number, row in enumerate(reader, 2):
            yield number, {name: (value or "").strip() for name, value in row.items() if name}
    except csv.Error as problem:
        raise Invalid(f"This is not a CSV file: line {reader.line_num}: {problem}. Nothing was taken over.") from None


def _hashed(db: Db, row: dict[str, str]) -> tuple[bytes, date]:
    if not identifiers.tin_is_valid(row["tin"]):
        raise ValueError("the TIN has not nine digits")
    if row["kind"] not in KINDS:
        raise ValueError("the kind is neither claim nor payment")
    tin_hash = practices.hash_of(db, identifiers.normalise(row["tin"]))
    made = hash_of(db, tin_hash, row["kind"], row["number"], row["amount"])
    if made is None:
        raise ValueError("the number or the amount has a wrong form")
    try:
        day = date.fromisoformat(row["date"])
    except ValueError:
        raise ValueError("the date is not written like 2026-11-21") from None
    if day > clock.now().date() + timedelta(days=1):  # it would prove for as long as it lies ahead
        raise ValueError("the date has not come yet")
    return made, day


def hash_of(db: Db, tin_hash: bytes, kind: str, number: str, amount: str) -> bytes | None:
    """Return the keyed hash of a fact; None where what was typed can be none."""
    money = _MONEY.match(amount.replace(",", "").strip())
    plain = re.sub(r"[\s-]", "", number).upper()
    if money is None or kind not in KINDS or not 4 <= len(plain) <= 40:
        return None
    cents = int(money[1]) * 100 + int(money[2] or 0)
    return of(db).ring.keyed_hash("tin-hash", f"fact/{kind}/{tin_hash.hex()}/{plain}/{cents}")


def prove(db: Db, claim_id: str, *, account_id: str, kind: str, number: str, amount: str) -> FirstManagerClaim:
    """Prove a claim by a fact; raise what `first_manager.attempt` raises, TooMany past 15 wrong ones at a practice."""
    claim = db.get(FirstManagerClaim, claim_id)
    if claim is not None and claim.account_id == account_id and _tried(db, claim.tin_hash) >= MOST_WRONG_AT_PRACTICE:
        raise TooMany("This way is closed for a day. Ask for a letter or a call back.", retry_after=86_400)

    def proof(db: Db, claim: FirstManagerClaim) -> bool:
        wanted = hash_of(db, claim.tin_hash, kind, number, amount)
        return wanted is not None and _spend(db, wanted, claim.account_id)

    return first_manager.attempt(db, claim_id, account_id=account_id, kind="fact", proof=proof)


def _tried(db: Db, tin_hash: bytes) -> int:
    since = clock.now() - configuration.current(db).clocks.claim_locked
    query = select(func.coalesce(func.sum(FirstManagerClaim.tries), 0)).where(
        col(FirstManagerClaim.tin_hash) == tin_hash,
        (col(FirstManagerClaim.created_at) > since) | (col(FirstManagerClaim.locked_at) > since),
    )
    return int(db.exec(query).one())


def _spend(db: Db, fact_hash: bytes, account_id: str) -> bool:
    spent = db.execute(
        update(PracticeFact)
        .where(
            col(PracticeFact.fact_hash) == fact_hash,
            col(PracticeFact.spent_at).is_(None),
            col(PracticeFact.expires_at) > clock.now(),
        )
        .values(spent_at=clock.now(), spent_by=account_id)
    )
    assert isinstance(spent, CursorResult)
    return spent.rowcount == 1
