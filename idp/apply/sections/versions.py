"""Versions to come of functions and jobs, and jobs that are not as they are by default."""

from typing import Any

from sqlmodel import Session as Db

from idp import clock
from idp.apply.schema.policy import Function, Job, NextJob
from idp.apply.work import Work
from idp.catalogue import bundles as jobs
from idp.catalogue import functions
from idp.catalogue.tables import CatalogueChange
from idp.entitlements import bundles
from idp.entitlements.defaults import BUNDLES


def apply_functions(work: Work, entries: list[Function]) -> None:
    """Publish what functions ask for from a day to come; what waits and differs is taken back."""
    for index, entry in enumerate(entries):
        if entry.next is None:
            continue
        with work.entry(("functions", index, "next")):
            _next_function(work, entry)


def _next_function(work: Work, entry: Function) -> None:
    db, wanted = work.db, entry.next
    assert wanted is not None
    present = functions.facts(functions.find(db, entry.key))
    said = {name: value for name in functions.FIELDS if (value := getattr(wanted, name)) is not None}
    if all(_same(present[name], value) for name, value in said.items()):
        return  # its day has come
    waits = functions.waiting(db, entry.key)
    if waits is not None:
        if waits.effective_at == wanted.effective and all(_same(_after(waits, present, n), v) for n, v in said.items()):
            return
        functions.withdraw(db, entry.key, by="operator")
        db.flush()
    functions.publish(db, entry.key, present | said, effective_at=wanted.effective, reason=wanted.reason, by="operator")
    work.difference.add("added", "functions", f"{entry.key}: from {wanted.effective:%Y-%m-%d}")


def _after(change: CatalogueChange, present: dict[str, Any], name: str) -> Any:
    return change.after.get(name, present[name])


def _same(one: Any, other: Any) -> bool:
    return (sorted(one) == sorted(other)) if isinstance(one, list) and isinstance(other, list) else bool(one == other)


def next_of(db: Db, key: str) -> dict[str, Any]:
    """Return the version of a function that waits, as the file writes it."""
    waits = functions.waiting(db, key)
    if waits is None:
        return {}
    return {"next": {"effective": waits.effective_at, "reason": waits.reason, **waits.after}}


def apply_jobs(work: Work, entries: list[Job]) -> None:
    """Change jobs: at once where nobody has them, for others from a day to come, announced before."""
    for index, entry in enumerate(entries):
        with work.entry(("jobs", index)):
            if entry.functions is not None:
                _job(work, entry.bundle, entry.functions)
            if entry.next is not None:
                _next_job(work, entry.bundle, entry.next)


def _job(work: Work, key: str, wanted: list[str]) -> None:
    db = work.db
    if sorted(set(wanted)) == bundles.items(db, bundles.find(db, key)):
        return
    jobs.set_up(db, key, wanted, by="operator")
    work.difference.add("changed", "jobs", key)


def _next_job(work: Work, key: str, wanted: NextJob) -> None:
    db, items = work.db, sorted(set(wanted.functions))
    now = bundles.find(db, key)
    if items == bundles.items(db, now):
        return  # its day has come
    waits = jobs.coming(db, key)
    if waits is not None:
        if waits.effective_at == wanted.effective and items == bundles.items(db, waits):
            return
        jobs.withdraw(db, key, by="operator")
    jobs.publish(
        db,
        key,
        items,
        seen=jobs.newest(db, key),
        effective_at=wanted.effective,
        reason=wanted.reason,
        by="operator",
    )
    work.difference.add("added", "jobs", f"{key}: from {wanted.effective:%Y-%m-%d}")


def export_jobs(db: Db) -> list[dict[str, Any]]:
    """Return the jobs that are not as by default, or will not be."""
    found = []
    usual = {key: sorted(items) for key, _, _, items in BUNDLES}
    for bundle in bundles.current(db):
        entry: dict[str, Any] = {"bundle": bundle.key}
        items = bundles.items(db, bundle)
        if items != usual.get(bundle.key):
            entry["functions"] = items
        waits = jobs.coming(db, bundle.key)
        if waits is not None and waits.effective_at is not None and waits.effective_at > clock.now():
            entry["next"] = {
                "functions": bundles.items(db, waits),
                "effective": waits.effective_at,
                "reason": waits.reason,
            }
        if len(entry) > 1:
            found.append(entry)
    return found
