"""`idp import`: take over what public registries publish."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from idp.providers.nppes.run import Progress

app = typer.Typer(no_args_is_help=True, help="Take over what public registries publish.")
_EVERY = 2.0
"""Seconds between two lines of progress."""


@app.callback()
def _import() -> None:
    """Take over what public registries publish."""


@app.command()
def nppes(
    file: Annotated[Path, typer.Argument(help="The CSV, unpacked (docs/operators.md)", exists=True, dir_okay=False)],
    errors: Annotated[
        Path | None, typer.Option("--errors", help="Where refused rows are told [default: FILE.errors.csv]")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an import of this file stopped")] = False,
    limit: Annotated[int | None, typer.Option("--limit", help="Rows to read now, then stop", min=1)] = None,
) -> None:
    """Record the practitioners and organizations of an NPPES file. It opens nothing to anybody."""
    from idp.audit import origin
    from idp.cli.schema import refuse_unknown
    from idp.database import Database
    from idp.providers.nppes.run import import_file
    from idp.settings import load

    out = errors or file.with_name(file.name + ".errors.csv")
    database = Database(load())
    teller = _Teller()
    try:
        refuse_unknown(database)
        with origin.acting_as("operator"):
            progress = import_file(database, file, out, resume=resume, limit=limit, told=teller.told)
    except KeyboardInterrupt:
        typer.echo(f"Stopped after line {teller.line}. Go on with: idp import nppes {file} --resume", err=True)
        raise typer.Exit(130) from None
    finally:
        database.dispose()
    typer.echo(summary(progress, out, teller.seconds()))


@app.command()
def facts(
    file: Annotated[Path, typer.Argument(help="CSV: tin, kind, number, amount, date", exists=True, dir_okay=False)],
) -> None:
    """Take over claims and payments that prove who is of a practice (docs/operators.md). Kept as keyed hashes."""
    from idp.apply import odd
    from idp.apply.source import FileWrong
    from idp.audit import origin
    from idp.cli.schema import refuse_unknown
    from idp.database import Database, transaction
    from idp.first_managers import facts as proving
    from idp.settings import load

    try:
        lines = odd.text_of(file).splitlines()
    except odd.Odd as unread:
        raise FileWrong([f"{file.name}{f':{unread.line}' if unread.line else ''}: {unread}"]) from None
    database = Database(load())
    try:
        refuse_unknown(database)
        with origin.acting_as("operator"), transaction(database) as db:
            loaded = proving.load(db, lines)
    finally:
        database.dispose()
    typer.echo(f"{loaded.new} new, {loaded.known} known or too old, {len(loaded.wrong)} wrong.")
    for number, problem in loaded.wrong:
        typer.echo(f"  line {number}: {problem}", err=True)
    raise typer.Exit(1 if loaded.wrong else 0)


class _Teller:
    """Tells on the error output, every two seconds, how far the run is."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self.line = 1

    def told(self, progress: "Progress") -> None:
        self.line = progress.line
        now = time.monotonic()
        if now - self._last < _EVERY:
            return
        self._last = now
        share = progress.position / progress.size
        typer.echo(f"{share:6.1%}  line {progress.line}  {progress.counts.get('refused', 0)} refused", err=True)

    def seconds(self) -> float:
        return time.monotonic() - self._began


def summary(progress: "Progress", errors: Path, seconds: float) -> str:
    """Return what a run did, a line each."""
    counts = dict(progress.counts)
    rows, refused, warnings = counts.pop("rows", 0), counts.pop("refused", 0), counts.pop("warnings", 0)
    told = [f"{rows} rows read, up to line {progress.line}, in {seconds:.1f} s."]
    told += [f"  {count:>9} {name}" for name, count in sorted(counts.items())]
    told += [f"  {refused:>9} refused"] + ([f"  {warnings:>9} warnings"] if warnings else [])
    if refused or warnings:
        told.append(f"Each of them, with line, column and reason: {errors}")
    if not progress.finished:
        told.append("The file is not at its end. Go on with --resume.")
    return "\n".join(told)
