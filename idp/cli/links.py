"""`idp links`: read the link journal, undo a line, a merge or a split, take two people apart."""

from typing import Annotated

import typer

from idp.cli.opened import changing

app = typer.Typer(no_args_is_help=True, help="Who got which login, and what to do when that was wrong.")
Because = Annotated[str, typer.Option("--because", help="Why; kept in the log")]


@app.command("list")
def show(account: Annotated[str, typer.Argument(help="Account id (acc_...)")]) -> None:
    """Print an account's logins, its journal and its merges and splits."""
    from idp.accounts import journal, linking

    with changing() as db:
        for login in linking.logins(db, account):
            held = ", held" if login.held_at else ""
            typer.echo(f"{login.id}  {login.issuer}  linked {login.linked_at:%Y-%m-%d %H:%M}{held}")
        for entry in journal.of_account(db, account):
            undone = f", undone by {entry.undone_by}" if entry.undone_at else ""
            typer.echo(
                f"{entry.id}  {entry.created_at:%Y-%m-%d %H:%M}  {entry.act} {entry.login_id} by {entry.by}{undone}"
            )
        for one in journal.operations_of(db, account):
            undone = f", undone by {one.undone_by}" if one.undone_at else ""
            typer.echo(f"{one.id}  {one.created_at:%Y-%m-%d %H:%M}  {one.kind} {one.account_id} {one.other_id}{undone}")


@app.command()
def undo(
    what: Annotated[str, typer.Argument(help="A line (lnk_...), a merge or a split (lop_...)")], because: Because
) -> None:
    """Take a link, a removal, a merge or a split back."""
    from idp.merging import split

    with changing() as db:
        if what.startswith("lop_"):
            done = split.undo_operation(db, what, by="operator", because=because)
            typer.echo(f"The {done.kind} was undone. Both people sign in again.")
        else:
            entry = split.undo_entry(db, what, by="operator", because=because)
            typer.echo(f"{entry.act} {entry.login_id} was undone.")


@app.command("split")
def take_apart(
    account: Annotated[str, typer.Argument(help="The account of two people")],
    login: Annotated[list[str], typer.Option("--login", help="A login of the other person; repeat for more")],
    name: Annotated[str, typer.Option("--name", help="The other person's name")],
    because: Because,
) -> None:
    """Move the other person's logins into an account of their own that holds nothing yet."""
    from idp.merging import split

    with changing() as db:
        done = split.split(db, account, login, name=name, by="operator", because=because)
        typer.echo(f"{done.new_account} has the logins now; it holds no access. Undo with {done.operation.id}.")
        if done.factors_ended:
            typer.echo(f"Second steps added since then were ended: {len(done.factors_ended)}.")
        for grant in done.review:
            typer.echo(f"Look at {grant}: given since the wrong link, it may have been meant for the other person.")


@app.command()
def release(login: Annotated[str, typer.Argument(help="A held login (lgn_...)")], because: Because) -> None:
    """Let a held login in again: you know that it is still the same person's."""
    from idp.accounts import moved
    from idp.accounts.tables import Login
    from idp.errors import NotFound

    with changing() as db:
        found = db.get(Login, login)
        if found is None:
            raise NotFound("There is no such login.")
        moved.release(db, found, by="operator", because=because)
        typer.echo(f"{login} opens its account again.")
