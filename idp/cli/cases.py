"""`idp cases`: what decided cases say was true, for judging the detector."""

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
