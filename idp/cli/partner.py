"""`idp partner`: who is met by a partner's suspension, suspend it, take it back."""

from typing import TYPE_CHECKING, Annotated

import typer

from idp.cli.opened import changing

if TYPE_CHECKING:
    from sqlmodel import Session

app = typer.Typer(no_args_is_help=True, help="The standing of outside organizations.")
Which = Annotated[str, typer.Argument(help="Partner id (ptr_...) or its ref in the applied file")]
Because = Annotated[str, typer.Option("--because", help="Why; kept in the log")]


@app.command()
def affected(partner: Which) -> None:
    """Print how many people, sign-ins, apps and delegations hang on a partner, and who would be left outside."""
    with changing() as db:
        _tell(db, _id(db, partner))


@app.command()
def suspend(
    partner: Which,
    because: Because,
    end: Annotated[bool, typer.Option("--end", help="For good; links stay for history")] = False,
) -> None:
    """Close every path of a partner now."""
    from idp.leaving import partners

    with changing() as db:
        found = _id(db, partner)
        _tell(db, found)
        done = partners.suspend(db, found, because=because, status="ended" if end else "suspended")
        typer.echo("Every path is closed." if done else "It had no good standing before; nothing changed.")


@app.command()
def reinstate(partner: Which, because: Because) -> None:
    """Open a partner's paths again; links hold as before, people sign in anew."""
    from idp.leaving import partners

    with changing() as db:
        found = _id(db, partner)
        done = partners.reinstate(db, found, because=because)
        _tell(db, found)
        typer.echo("Its logins work again." if done else "It was in good standing; nothing changed.")


def _id(db: "Session", named: str) -> str:
    from idp.apply.tables import AppliedReference

    row = db.get(AppliedReference, ("partners", named))
    return row.target if row is not None else named


def _tell(db: "Session", partner_id: str) -> None:
    from idp.leaving import partners

    met = partners.affected(db, partner_id)
    typer.echo(
        f"{met.logins} logins of {met.people} people, {met.sessions} sessions open, "
        f"{met.clients} apps, {met.delegations} delegations."
    )
    for account_id in met.left_outside:
        typer.echo(f"{account_id} has no other login that works.")
