"""`idp cases`: what decided cases say was true, for judging the detector; and how long cases are kept."""

from datetime import UTC, datetime
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Cases of suspected misuse.")


@app.command()
def labels() -> None:
    """Print the labels of decided cases as JSON lines, as `idp sharing evaluate --labels` reads them."""
    import orjson

    from idp.cases import labels as stored
    from idp.cli.opened import opened
    from idp.database import reading

    with opened() as database, reading(database) as db:
        for label in stored.written(db):
            typer.echo(orjson.dumps(label).decode())


@app.command()
def prune(
    before: Annotated[
        str, typer.Option("--before", help="Day before which a last effect lies, such as 2020-11-01 [default: all due]")
    ] = "",
) -> None:
    """Destroy cases years after their last effect, with their evidence, but for those on legal hold; recorded."""
    from idp.audit import origin
    from idp.casework import keeping
    from idp.cli.opened import opened

    day = None
    if before:
        try:
            day = datetime.strptime(before, "%Y-%m-%d").replace(tzinfo=UTC)
        except ValueError:
            raise typer.BadParameter("Enter a day such as 2020-11-01.") from None
    with opened() as database, origin.acting_as("operator"):
        done = keeping.destroy(database, day)
    held = f" {done.held} are kept by a legal hold." if done.held else ""
    standing = f" {done.standing} are kept because what they paused or hold still stands." if done.standing else ""
    typer.echo(
        f"{done.cases} cases were destroyed whose last effect was before {done.before:%Y-%m-%d}.{held}{standing}"
    )
