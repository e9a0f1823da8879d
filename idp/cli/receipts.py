"""The log's signed receipt of what an applied file gave and took, in a file of the operator's."""

from pathlib import Path
from typing import Any

import typer


def ready(to: Path | None) -> list[dict[str, Any]] | None:
    """Return where the receipt is to come, if one is wanted; raise BadParameter before anything is done."""
    if to is None:
        return None
    try:
        to.open("ab").close()
    except OSError as problem:
        raise typer.BadParameter(f"The receipt can't be written: {problem}") from None
    return []


def write(to: Path | None, signed: list[dict[str, Any]] | None) -> None:
    """Write what was signed, and say so; nothing was where no access was given or taken."""
    import orjson

    if to is None:
        return
    if signed:
        to.write_bytes(orjson.dumps(signed[0], option=orjson.OPT_INDENT_2) + b"\n")
        typer.echo(f"The signed receipt of it is in {to}.")
    else:
        typer.echo("No access was given or taken: there is nothing to sign.")
