"""Functions the insurer keeps from an organisation, now, from a day to come, and in development in the past."""

from typing import Any

from sqlmodel import Session as Db

from idp.apply.schema.organisations import Provider as Wanted
from idp.apply.schema.organisations import Withheld
from idp.apply.work import Work, rows
from idp.catalogue import gate
from idp.entitlements.duty_tables import WithheldFunction


def apply(work: Work, entries: list[Wanted]) -> None:
    """Keep functions from organisations, and open them again."""
    for index, entry in enumerate(entries):
        provider_id = work.id_of("providers", entry.ref, ("providers", index))
        for number, withheld in enumerate(entry.withheld):
            with work.entry(("providers", index, "withheld", number)):
                _one(work, entry.ref, provider_id, withheld)


def _one(work: Work, ref: str, provider_id: str, entry: Withheld) -> None:
    db, key = work.db, f"{ref}: withheld {entry.function}, {entry.line}"
    same = rows(
        db,
        WithheldFunction,
        WithheldFunction.provider_id == provider_id,
        WithheldFunction.line == entry.line,
        WithheldFunction.entitlement == entry.function,
    )
    if entry.starts is not None:
        same = [row for row in same if row.starts_at == entry.starts]
    row = max(same, key=lambda found: found.starts_at, default=None)
    new = row is None
    if row is None:
        if work.unborn(entry.ended):
            return
        row = gate.withhold(
            db,
            provider_id,
            entry.line,
            entry.function,
            by="operator",
            reason=entry.reason,
            starts_at=entry.starts or work.at,
        )
        work.difference.add("added", "providers", key)
    if entry.ended and row.ended_at is None:
        held = row
        work.end(
            row,
            entry.ended,
            new=new,
            by="operator",
            reason="applied",
            now=lambda: gate.give_back(db, held, by="operator"),
        )
        work.difference.add("ended", "providers", key)
    elif row.ended_at is not None and not entry.ended:
        work.difference.add("kept", "providers", key, because="was opened since; it is not withheld again")


def export(db: Db, provider_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return what is and was kept from an organisation."""
    found = []
    for row in rows(db, WithheldFunction, WithheldFunction.provider_id == provider_id):
        entry = {"line": row.line, "function": row.entitlement, "from": row.starts_at, "reason": row.reason}
        found.append(entry | ({"ended": row.ended_at} if row.ended_at else {}))
    return {"withheld": found}
