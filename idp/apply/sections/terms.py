"""Versions of the two documents people accept."""

from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts import terms
from idp.accounts.tables import TermsDocument
from idp.apply.schema.people import Terms as Wanted
from idp.apply.work import Work


def apply(work: Work, entries: list[Wanted]) -> None:
    """Publish versions; one that was published with another text is refused by the domain."""
    for index, entry in enumerate(entries):
        key = f"{entry.kind} {entry.version}"
        present = find(work.db, entry.kind, entry.version)
        place = ("terms", index)
        said = (entry.title, entry.effective, entry.changes)
        if present and (present.title, present.effective_at, present.changes) != said:
            raise work.wrong(place, "this version was published with another title or date; publish a new version")
        with work.entry(place):
            terms.publish(
                work.db,
                kind=entry.kind,
                version=entry.version,
                title=entry.title,
                body=entry.body,
                changes=entry.changes,
                effective_at=entry.effective,
            )
        if present is None:
            work.difference.add("added", "terms", key)


def find(db: Db, kind: str, version: str) -> TermsDocument | None:
    """Return one version of a document, or None."""
    return db.exec(
        select(TermsDocument).where(col(TermsDocument.kind) == kind, col(TermsDocument.version) == version)
    ).one_or_none()


def export(db: Db) -> list[dict[str, Any]]:
    """Return every version as the file writes it."""
    return [
        {
            "kind": row.kind,
            "version": row.version,
            "title": row.title,
            "body": row.body,
            **({"changes": row.changes} if row.changes else {}),
            "effective": row.effective_at,
        }
        for row in db.exec(select(TermsDocument).order_by(col(TermsDocument.effective_at), col(TermsDocument.kind)))
    ]
