"""The commands, each a few lines; the work is in the modules they call (imported when they run)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from idp.cli import cases, community, decide, importing, keeping, links, partner, sharing

if TYPE_CHECKING:
    from idp.database import Database

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Identity and entitlements for a health insurer's provider portal.",
)
keys = typer.Typer(no_args_is_help=True, help="The keys tokens are signed with.")
audit = typer.Typer(no_args_is_help=True, help="The log and its proof.")
app.add_typer(keys, name="keys")
app.add_typer(audit, name="audit")
for _command in (
    keeping.months,
    keeping.rights,
    keeping.prune,
    keeping.hold,
    keeping.lift,
    keeping.shred,
    keeping.send,
):
    audit.command()(_command)
audit.command("holds")(keeping.holding)
app.add_typer(links.app, name="links")
app.add_typer(partner.app, name="partner")
app.add_typer(community.app, name="community")
app.command()(decide.decide)
app.command()(decide.who)
app.add_typer(importing.app, name="import")
app.add_typer(sharing.app, name="sharing")
app.add_typer(cases.app, name="cases")


@contextmanager
def _database() -> Iterator["Database"]:
    """Open the database the settings name."""
    from idp.database import Database
    from idp.settings import load

    database = Database(load())
    try:
        yield database
    finally:
        database.dispose()


@contextmanager
def _migrated() -> Iterator["Database"]:
    """Open the database; refuse one whose schema this program does not know."""
    from idp.cli.schema import refuse_unknown

    with _database() as database:
        refuse_unknown(database)
        yield database


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen at [default: IDP_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen at [default: IDP_PORT]", min=1, max=65535)] = None,
    workers: Annotated[int | None, typer.Option(help="Processes [default: IDP_WORKERS]", min=1, max=64)] = None,
    drain: Annotated[
        float | None,
        typer.Option(help="Seconds between readiness off and no new requests [default: 2, development: 0]", min=0),
    ] = None,
) -> None:
    """Serve the pages and the machines until SIGTERM."""
    from idp.cli.serving import serve as run

    run(host=host, port=port, workers=workers, drain=drain)


@app.command()
def health() -> None:
    """Ask a running service on this machine whether it is well (for a container's health check)."""
    from idp.cli.health import healthy
    from idp.settings import load

    if not healthy(load()):
        typer.echo("The service does not answer.", err=True)
        raise typer.Exit(1)
    typer.echo("The service is well.")


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema, and load the catalogue of functions."""
    import os

    from idp.cli.files import make_missing
    from idp.cli.schema import bring_up

    if os.environ.get("IDP_DEVELOPMENT") in ("1", "true"):
        for sentence in make_missing():
            typer.echo(sentence)
    with _database() as database:
        typer.echo(bring_up(database))


@app.command()
def bootstrap(
    name: Annotated[str, typer.Option(help="Name of the first administrator")],
    email: Annotated[str, typer.Option(help="Address for their notices")],
) -> None:
    """Print a one-time link by which the first administrator registers."""
    from idp.cli.first import bootstrap as run

    with _migrated() as database:
        typer.echo(run(database, name=name, email=email))


@app.command()
def apply(
    file: Annotated[Path, typer.Argument(help="YAML or TOML (docs/configuration.md)", dir_okay=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, change nothing")] = False,
    receipt: Annotated[
        Path | None, typer.Option("--receipt", help="File for the log's signed receipt of access given and taken")
    ] = None,
) -> None:
    """Bring clients, upstreams, organisations, people and grants to what a file says."""
    from idp.apply.run import apply_file
    from idp.cli import receipts

    signed = receipts.ready(receipt)
    with _migrated() as database:
        difference = apply_file(database, file, dry_run=dry_run, receipt=signed)
    typer.echo(difference.text())
    receipts.write(receipt, signed)
    if dry_run and difference:
        typer.echo("Dry run: nothing was changed.")


@app.command()
def export(
    to: Annotated[Path | None, typer.Option("--to", help="File to write [default: standard output]")] = None,
) -> None:
    """Write what `apply` reads, without secrets."""
    from idp.apply.export import export as run

    with _migrated() as database:
        text = run(database)
    if to is None:
        typer.echo(text, nl=False)
    else:
        to.write_text(text, encoding="utf-8")


@keys.command()
def make() -> None:
    """Write the master key and the log's checkpoint key to the files the environment names, if they are missing."""
    from idp.cli.files import make_missing

    for sentence in make_missing() or ["Both files exist already; nothing was made."]:
        typer.echo(sentence)


@keys.command()
def rotate(
    early: Annotated[
        bool, typer.Option("--early", help="After a leak: do not wait until every app has seen the next key")
    ] = False,
) -> None:
    """Let the next keys sign; the old ones stay published until no token of theirs can be alive."""
    from idp.audit import origin
    from idp.database import transaction
    from idp.oauth import keys as signing

    with _migrated() as database:
        signing.ensure(database)
        with origin.acting_as("operator"), transaction(database) as db:
            for kid in signing.rotate(db, early=early):
                typer.echo(f"{kid} signs now.")


@keys.command()
def saml(
    upstream: Annotated[str, typer.Argument(help="Id of the organization's login (ups_...)")],
    *,
    rotate: Annotated[
        bool, typer.Option("--rotate/--next", help="--next: make the next key; --rotate: let it sign")
    ] = False,
) -> None:
    """Change our key towards a SAML login: first --next, and when the partner has our new metadata, --rotate."""
    from idp.audit import origin
    from idp.database import transaction
    from idp.federation import saml_trust, upstreams

    with _migrated() as database, origin.acting_as("operator"), transaction(database) as db:
        row = upstreams.find(db, upstream)
        changed = saml_trust.rotate_key(db, row) if rotate else saml_trust.prepare_key(db, row)
        typer.echo(f"{changed.id} {'signs now' if rotate else 'stands in our metadata'}.")


@audit.command()
def verify(
    copy: Annotated[
        Path | None, typer.Option("--copy", help="Another copy of the checkpoints, such as a witness's")
    ] = None,
) -> None:
    """Prove that no record was changed, removed or put in; name the first that was."""
    from idp.cli.log import verify as run

    with _migrated() as database:
        whole, text = run(database, copy)
    typer.echo(text)
    if not whole:
        raise typer.Exit(1)


@audit.command()
def evidence(
    file: Annotated[Path, typer.Argument(help="The evidence.json of a review", exists=True, dir_okay=False)],
    *,
    key: Annotated[Path, typer.Option(help="The public key in PEM form", exists=True, dir_okay=False)],
) -> None:
    """Check the signed evidence of an access review; needs nothing of a running service."""
    from idp.cli.log import evidence as run

    genuine, text = run(file, key)
    typer.echo(text)
    if not genuine:
        raise typer.Exit(1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def witness(context: typer.Context) -> None:
    """Watch a log on another machine and sign what grew out of what was signed before (as `witness.py` alone does)."""
    from idp.audit.witness import main as watch

    raise typer.Exit(watch(context.args))


@app.command()
def doctor() -> None:
    """Say what is misconfigured and how to mend it."""
    from idp.cli.doctor import examine

    findings = examine()
    for finding in findings:
        typer.echo(finding.text())
    worst = [finding for finding in findings if finding.kind == "wrong"]
    if worst:
        raise typer.Exit(1)
    if not findings:
        typer.echo("Nothing is misconfigured.")


@app.command()
def demo(
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin with an empty world")] = False,
    check: Annotated[bool, typer.Option("--check", help="Stop again as soon as everything answers")] = False,
    code: Annotated[
        str | None,
        typer.Option("--code", help="Only print the present one-time code of somebody the demo names (wes, sam, ...)"),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where its databases, logs and secrets are  [default: var/demo]")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            min=1,
            max=65532,
            help="Port of the first of its four servers, the others follow  [default: 8000, or IDP_DEMO_PORTS]",
        ),
    ] = None,
) -> None:
    """Start the demo: our service, an affiliate's login and two sample apps, in a world of their own."""
    from idp.demo.run import demo as run

    raise typer.Exit(run(fresh=fresh, check=check, code=code, folder=folder, port=port))


@app.command()
def story(
    own: Annotated[
        bool, typer.Option("--own", help="Start servers of its own on free ports, even if the demo runs")
    ] = False,
) -> None:
    """Play the main job against running servers and print what was sent and answered."""
    from idp.demo.story.run import story as run

    raise typer.Exit(run(own=own))
