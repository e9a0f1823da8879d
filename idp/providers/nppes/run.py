"""One run over one file: batch by batch, each with its checkpoint in its own transaction.

A run that is killed goes on after its last batch: neither a row nor a line of the error file comes twice or
is lost, because the checkpoint names the byte where each of the two files stood.
"""

import csv
import io
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import CursorResult, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from idp import clock
from idp.audit import log
from idp.audit.events import Event
from idp.database import Database, reading, transaction
from idp.errors import Conflict, Invalid
from idp.providers.nppes import lines
from idp.providers.nppes.lines import Line
from idp.providers.nppes.rows import Entry, HeaderWrong, Problem, Reader
from idp.providers.nppes.storing import Batch
from idp.providers.registry_tables import ImportRun

ROWS = 500
"""Rows of a batch: the pages of a running service wait at most for one batch of another writer."""
HEAD = b"line,column,kind,reason\n"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    run_id: str
    line: int
    position: int
    size: int
    counts: dict[str, int]
    finished: bool


def import_file(
    database: Database,
    path: Path,
    errors: Path,
    *,
    resume: bool = False,
    limit: int | None = None,
    told: Callable[[Progress], None] = lambda _: None,
    rows: int = ROWS,
) -> Progress:
    """Take a file over, or at most `limit` rows of what is left of it; return where it stands.

    Raises Invalid for a file in another layout, an error file that is something else, or nothing to resume;
    Conflict when another import of this file is under way.
    """
    size, digest = path.stat().st_size, lines.digest(path)
    with path.open("rb") as file:
        reader, head = _header(file)
        run = _resumed(database, digest) if resume else ImportRun(file_digest=digest, position=head.end, line=1)
        out = _opened(errors, path, run.errors_position if resume else None)
        with out:
            if not resume:
                run.errors_position = out.tell()
                with transaction(database) as db:
                    db.add(run)
            source = lines.read(file, run.position, run.line)
            if limit is not None:
                source = islice(source, limit)
            progress = _progress(run, size)
            while chunk := list(islice(source, rows)):
                run = _batch(database, reader, run, chunk, out)
                progress = _progress(run, size)
                told(progress)
            if progress.position >= size:
                progress = _finish(database, run, size)
    return progress


def _progress(run: ImportRun, size: int, *, finished: bool = False) -> Progress:
    return Progress(run.id, run.line, run.position, size, dict(run.counts), finished)


def _header(file: BinaryIO) -> tuple[Reader, Line]:
    head = next(lines.read(file, 0, 0), None)
    if head is None:
        raise Invalid("The file is empty.")
    try:
        return Reader(lines.cells(head)), head
    except (HeaderWrong, ValueError) as problem:
        raise Invalid(f"This is no NPPES file. {problem}") from None


def _resumed(database: Database, digest: str) -> ImportRun:
    with reading(database) as db:
        run = db.exec(
            select(ImportRun)
            .where(col(ImportRun.file_digest) == digest, col(ImportRun.finished_at).is_(None))
            .order_by(col(ImportRun.updated_at).desc())
            .limit(1)
        ).first()
        if run is None:
            raise Invalid("No import of this file waits to be resumed.")
        db.expunge(run)
        return run


def _opened(errors: Path, source: Path, position: int | None) -> BinaryIO:
    """Open the error file: anew, or cut back to where the last batch that counts had left it."""
    if errors.exists() and errors.samefile(source):
        raise Invalid("The error file is the file itself. Name another with --errors.")
    try:
        handle = os.open(errors, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as problem:
        raise Invalid(
            f"The error file {errors} cannot be written: {problem.strerror}. Name one with --errors."
        ) from None
    file = os.fdopen(handle, "r+b")
    present = file.read(len(HEAD))
    length = errors.stat().st_size
    if position is not None and length < position:
        file.close()
        raise Invalid(f"{errors} is not the error file of this import. Name that one with --errors.")
    if present and present != HEAD:
        file.close()
        raise Invalid(f"{errors} is something else than an error file. Name another with --errors.")
    if position is None:
        file.seek(0)
        file.truncate()
        file.write(HEAD)
        file.flush()
    else:
        file.truncate(position)
    file.seek(0, os.SEEK_END)
    return file


def _batch(database: Database, reader: Reader, run: ImportRun, chunk: list[Line], out: BinaryIO) -> ImportRun:
    taken = _read(reader, chunk)
    for _ in range(2):
        try:
            return _stored(database, run, chunk, taken, out)
        except IntegrityError:  # somebody recorded one of these numbers meanwhile: look again
            continue
    return _stored(database, run, chunk, taken, out)


def _stored(database: Database, run: ImportRun, chunk: list[Line], taken: "_Taken", out: BinaryIO) -> ImportRun:
    """Store a batch and its checkpoint; return where the run stands then."""
    with transaction(database) as db:
        batch = Batch(db)
        batch.take(taken.entries)
        written = _written(taken.problems + batch.problems)
        out.seek(run.errors_position)
        out.truncate()
        out.write(written)
        out.flush()
        os.fsync(out.fileno())  # before the checkpoint that counts on it
        counts = taken.counts + batch.counts
        log.record(db, _event(run, chunk, counts))
        after: dict[str, Any] = {
            "position": chunk[-1].end,
            "line": chunk[-1].number,
            "errors_position": run.errors_position + len(written),
            "counts": dict(Counter(run.counts) + counts),
        }
        moved = db.execute(
            update(ImportRun)
            .where(
                col(ImportRun.id) == run.id,
                col(ImportRun.position) == run.position,
                col(ImportRun.finished_at).is_(None),
            )
            .values(**after, updated_at=clock.now())
        )
        assert isinstance(moved, CursorResult)
        if moved.rowcount != 1:
            raise Conflict("Another import of this file is under way.")
    return ImportRun(id=run.id, file_digest=run.file_digest, **after)


@dataclass(frozen=True, slots=True)
class _Taken:
    """What the lines of a batch say, before the database is asked."""

    entries: list[Entry]
    problems: list[tuple[int, Problem]]
    counts: Counter[str]


def _read(reader: Reader, chunk: list[Line]) -> _Taken:
    entries: list[Entry] = []
    found: list[tuple[int, Problem]] = []
    counts: Counter[str] = Counter(rows=len(chunk))
    for line in chunk:
        try:
            entry, problems = reader.entry(line.number, lines.cells(line))
        except ValueError as problem:
            entry, problems = None, [Problem("", str(problem))]
        found += [(line.number, problem) for problem in problems]
        if entry is None:
            counts["refused"] += 1
        else:
            entries.append(entry)
        counts["warnings"] += sum(problem.warning for problem in problems)
    return _Taken(entries, found, +counts)


def _written(problems: list[tuple[int, Problem]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for number, problem in sorted(problems, key=lambda found: found[0]):
        writer.writerow((number, problem.column, "warning" if problem.warning else "error", problem.reason))
    return out.getvalue().encode()


def _event(run: ImportRun, chunk: list[Line], counts: Counter[str]) -> Event:
    details = {"run": run.id, "file": run.file_digest, "from": chunk[0].number, "to": chunk[-1].number}
    return Event("providers.import.batch", details=details | {"counts": dict(counts)})


def _finish(database: Database, run: ImportRun, size: int) -> Progress:
    with transaction(database) as db:
        ended = db.execute(
            update(ImportRun)
            .where(col(ImportRun.id) == run.id, col(ImportRun.finished_at).is_(None))
            .values(finished_at=clock.now())
        )
        assert isinstance(ended, CursorResult)
        if ended.rowcount == 1:
            log.record(db, Event("providers.import.finished", details={"run": run.id, "counts": dict(run.counts)}))
    return _progress(run, size, finished=True)
