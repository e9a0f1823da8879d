"""Apply a file: one transaction, sections in an order in which each finds what it refers to."""

from pathlib import Path

from idp.apply import source
from idp.apply.difference import Difference
from idp.apply.schema.document import Document, parse
from idp.apply.sections import settings
from idp.apply.work import References, Work
from idp.audit import origin
from idp.database import Database, transaction


class _DryRun(Exception):
    """Raised at the end of a dry run, so that the transaction is rolled back."""


def apply_file(database: Database, path: Path, *, dry_run: bool = False) -> Difference:
    """Bring the database to what the file says; raise FileWrong, and change nothing, when the file has a mistake.

    A dry run does the same work and rolls it back, so what it tells is what would happen.
    """
    read = source.read(path)
    document = parse(read, development=database.settings.development)
    difference = Difference()
    try:
        with origin.acting_as("operator"), transaction(database) as db:
            work = Work(db, read, References(db), difference)
            _sections(work, document)
            work.references.write()
            if dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return difference


def _sections(work: Work, document: Document) -> None:
    settings.apply(work, document.settings)
