"""`idp community`: the trust communities whose members people may sign in at."""

from pathlib import Path
from typing import Annotated

import typer

from idp.cli.opened import changing

app = typer.Typer(no_args_is_help=True, help="Trust communities (HL7 UDAP).")


@app.command()
def add(
    partner: Annotated[str, typer.Argument(help="The partner that runs it (ptr_...)")],
    name: Annotated[str, typer.Option("--name", help="As people know it")],
    anchors: Annotated[Path, typer.Option("--anchors", help="PEM of its roots", exists=True, dir_okay=False)],
    certificates: Annotated[
        Path, typer.Option("--certificates", help="PEM of our chain, leaf first", exists=True, dir_okay=False)
    ],
    key: Annotated[Path, typer.Option("--key", help="PEM of our leaf's key; sealed", exists=True, dir_okay=False)],
) -> None:
    """Record a community."""
    from idp.federation import communities

    with changing() as db:
        made = communities.register(
            db,
            partner_id=partner,
            name=name,
            anchors=anchors.read_text(),
            certificates=certificates.read_text(),
            private_key=key.read_text(),
        )
        typer.echo(f"{made.id} is recorded.")


@app.command()
def disable(community: Annotated[str, typer.Argument(help="tcm_...")]) -> None:
    """Close a community and every upstream found in it."""
    from idp.errors import NotFound
    from idp.federation import communities
    from idp.federation.tables import TrustCommunity

    with changing() as db:
        found = db.get(TrustCommunity, community)
        if found is None:
            raise NotFound("There is no such community.")
        communities.change(db, found, status="disabled")
        typer.echo(f"{community} is closed.")
