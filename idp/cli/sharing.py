"""`idp sharing`: judge a file of events for shared logins, and make simulated worlds to try it on."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Logins that several people share: the detector, offline.")


@app.command()
def evaluate(
    events: Annotated[Path, typer.Argument(help="Events as JSON lines (docs/sharing.md)", dir_okay=False)],
    labels: Annotated[Path | None, typer.Option(help="What is true, as JSON lines: adds precision and recall")] = None,
    without: Annotated[str, typer.Option(help="Turn one guard off, to see what it is worth")] = "",
    least: Annotated[
        int, typer.Option(help="Leave out accounts that never scored this much (0 to 100)", min=0, max=100)
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per account, then the figures")] = False,
) -> None:
    """Print each account's score with its reasons and, with labels, how right they are."""
    from idp.sharing import evaluating

    for line in evaluating.evaluate(events, labels=labels, without=without, least=least, as_json=as_json):
        typer.echo(line)


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Directory to write events.jsonl and labels.jsonl to", file_okay=False)],
    seed: Annotated[int, typer.Option(help="The same seed makes the same files")] = 1,
    accounts: Annotated[int, typer.Option(min=1, max=100_000)] = 200,
    days: Annotated[int, typer.Option(min=20, max=730)] = 60,
    family: Annotated[str, typer.Option(help="Kind of world: fit-1 to fit-4, or one of the judged families")] = "fit-1",
) -> None:
    """Write a simulated world: realistic work with planted sharers and takeovers."""
    from idp.sharing import evaluating

    typer.echo(evaluating.simulate(out, seed=seed, accounts=accounts, days=days, family=family))
