"""What every section works with: the transaction, the file, the references, the difference."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlmodel import Session as Db
from sqlmodel import col, insert, select

from idp import clock
from idp.accounts.passwords import Hashed
from idp.apply import past
from idp.apply.difference import Difference
from idp.apply.schema.common import Secret
from idp.apply.source import FileWrong, Place, Source
from idp.apply.tables import AppliedReference
from idp.database import of
from idp.errors import Refused

T = TypeVar("T")


def _like_an_id(table: type[Any], ref: str) -> bool:
    """Say whether a text could be an id of the table, so that a plain `ref` costs no statement."""
    (prefix,) = table.model_fields["id"].default_factory.args
    return ref.startswith(f"{prefix}_")


class References:
    """Which id each `ref` means; an id itself is a `ref` too, so that what was not applied can be named."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._known: dict[tuple[str, str], str] = {}
        for row in db.exec(select(AppliedReference.section, AppliedReference.ref, AppliedReference.target)):
            self._known[(row[0], row[1])] = row[2]
        self._new: list[dict[str, Any]] = []
        self._names: dict[str, dict[str, str]] = {}

    def find(self, section: str, ref: str, table: type[Any] | None = None) -> str | None:
        """Return the id of a reference, or None."""
        known = self._known.get((section, ref))
        if known is None and table is not None and _like_an_id(table, ref) and self._db.get(table, ref) is not None:
            return ref
        return known

    def put(self, section: str, ref: str, target: str) -> None:
        """Remember what a reference means."""
        if self._known.get((section, ref)) == target:
            return
        self._known[(section, ref)] = target
        self._new.append({"section": section, "ref": ref, "target": target, "created_at": clock.now()})

    def move(self, section: str, ref: str, target: str) -> None:
        """Let a known reference mean another row, the one that replaced its first."""
        row = self._db.get(AppliedReference, (section, ref))
        self._known[(section, ref)] = target
        if row is None:
            self._new = [new for new in self._new if (new["section"], new["ref"]) != (section, ref)]
            self._new.append({"section": section, "ref": ref, "target": target, "created_at": clock.now()})
            return
        row.target = target
        self._db.add(row)

    def write(self) -> None:
        """Write the new references with this transaction."""
        if self._new:
            self._db.execute(insert(AppliedReference), self._new)
            self._new = []

    def name(self, section: str, target: str) -> str:
        """Return the reference of an id, or the id itself where it was not applied."""
        return self.named(section).get(target, target)

    def named(self, section: str) -> dict[str, str]:
        """Return id -> ref of a section."""
        if section not in self._names:
            self._names[section] = {target: ref for (at, ref), target in self._known.items() if at == section}
        return self._names[section]


@dataclass
class Work:
    """One apply, in one transaction."""

    db: Db
    source: Source
    references: References
    difference: Difference = field(default_factory=Difference)
    at: datetime = field(default_factory=clock.now)
    tables: dict[str, type[Any]] = field(default_factory=dict)
    """Table of the sections whose entries may also be named by id."""
    hashes: dict[str, Hashed] = field(default_factory=dict)
    """Initial passwords, hashed before the transaction, by the person's ref."""
    memory: dict[str, Any] = field(default_factory=dict)

    @property
    def development(self) -> bool:
        """Whether this is a development deployment."""
        return of(self.db).settings.development

    def wrong(self, place: Place, sentence: str) -> FileWrong:
        """Return the refusal of one value of the file."""
        return self.source.wrong(place, sentence)

    def id_of(self, section: str, ref: str, place: Place) -> str:
        """Return the id a reference means; raise FileWrong where it means nothing."""
        found = self.references.find(section, ref, self.tables.get(section))
        if found is None:
            raise self.wrong(place, f"nothing in `{section}` has the ref {ref}")
        return found

    def maybe_id(self, section: str, ref: str | None, place: Place) -> str | None:
        """Return the id of an optional reference."""
        return None if ref is None else self.id_of(section, ref, place)

    def reveal(self, secret: Secret, place: Place) -> str:
        """Return a secret's text; a missing variable or file is told by its name."""
        try:
            return secret.reveal(self.source.folder)
        except ValueError as problem:
            raise self.wrong(place, str(problem)) from None

    def document(self, written: str, place: Place) -> str:
        """Return a document of the file, or of the file it names (`file:NAME`)."""
        if not written.startswith("file:"):
            return written
        try:
            return (self.source.folder / written.removeprefix("file:")).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as problem:
            raise self.wrong(place, f"the file cannot be read: {type(problem).__name__}") from None

    def unborn(self, ended: datetime | None) -> bool:
        """Say whether an entry that has ended is not to be made at all: outside development history is the log's."""
        return ended is not None and not self.development

    def end(self, row: Any, ended: datetime, *, new: bool, by: str, reason: str, now: Callable[[], object]) -> None:
        """End a row: one just made at the stated moment (development), a live one by the domain, now."""
        if new:
            self.db.flush()
            past.ended(self.db, row, ended, by=by, reason=reason)
        else:
            now()

    def remember(self, name: str, make: Callable[[], T]) -> T:
        """Return what `make` gives, asked once an apply."""
        if name not in self.memory:
            self.memory[name] = make()
        found: T = self.memory[name]
        return found

    @contextmanager
    def entry(self, place: Place) -> Iterator[None]:
        """Turn a refusal of the domain into a mistake of the file at this place."""
        try:
            yield
        except Refused as refusal:
            fields = getattr(refusal, "fields", {})
            told = "; ".join(f"{name}: {sentence}" for name, sentence in fields.items()) or refusal.detail
            raise self.wrong(place, told) from refusal


def rows(db: Db, table: type[Any], *conditions: Any) -> list[Any]:
    """Return the rows of a table that meet the conditions, oldest first."""
    return list(db.exec(select(table).where(*conditions).order_by(col(table.created_at))).all())
