"""`idp audit`: how long the log is kept, what a legal hold keeps longer, whose person fields are destroyed."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from idp.cli.opened import changing, opened

BadDay = typer.BadParameter("Enter a month such as 2020-11.")


def months() -> None:
    """Make the log's months ahead, as the service does each hour."""
    from idp.audit import months as making

    with opened() as database:
        typer.echo(f"{making.ensure(database)} months were made.")


def rights(role: Annotated[str, typer.Argument(help="The database role the service runs as")]) -> None:
    """Give a role what the service needs and nothing by which a record could be changed (PostgreSQL)."""
    from idp.audit import rights as giving

    with opened() as database:
        giving.give(database, role)
    typer.echo(f"{role} adds records and changes none.")


def prune(
    before: Annotated[
        str, typer.Option("--before", help="First month to keep, such as 2020-11 [default: all due]")
    ] = "",
) -> None:
    """Destroy records older than six years, but for those on legal hold; the proof of them is kept."""
    from idp.audit import origin, retention

    day = None
    if before:
        try:
            day = datetime.strptime(before, "%Y-%m").replace(tzinfo=UTC)
        except ValueError:
            raise BadDay from None
    with opened() as database, origin.acting_as("operator"):
        done = retention.prune(database, day)
    held = f" {done.held} are kept by a legal hold." if done.held else ""
    typer.echo(f"{done.records} records from before {done.before:%Y-%m-%d} were destroyed.{held}")


def hold(
    reason: Annotated[str, typer.Option("--reason", help="What it is for, such as a matter's number")],
    person: Annotated[str | None, typer.Option("--person", help="Account id (acc_...)")] = None,
    practice: Annotated[str | None, typer.Option("--practice", help="Practice id (prv_...)")] = None,
) -> None:
    """Place a legal hold on a person's records, a practice's, or (neither given) the whole log."""
    from idp.audit import holds

    with changing() as db:
        typer.echo(f"{holds.place(db, reason, account=person, provider=practice)} is on.")


def lift(hold_id: Annotated[str, typer.Argument(help="The hold (hld_...)")]) -> None:
    """End a legal hold."""
    from idp.audit import holds

    with changing() as db:
        holds.lift(db, hold_id)
    typer.echo(f"{hold_id} is lifted.")


def holding() -> None:
    """List the legal holds that are on."""
    from idp.audit import holds

    with changing() as db:
        for row in holds.live(db):
            what = row.account_id or row.provider_id or "the whole log"
            typer.echo(f"{row.id}  {row.created_at:%Y-%m-%d}  {what}  {row.reason}, by {row.placed_by}")


def shred(account: Annotated[str, typer.Argument(help="Account id (acc_...) of somebody who has left")]) -> None:
    """Destroy the key of a person's fields in the log, for good; refused for who still has an account in use."""
    from idp.casework import keeping

    with changing() as db:
        count = keeping.shred(db, account)
    more = f" and of {count - 1} accounts it was made one with" if count > 1 else ""
    typer.echo(f"The person fields of {account}{more} can't be read any more.")


def send(
    since: Annotated[str, typer.Option("--since", help="First moment, such as 2026-11-01T00:00Z")] = "",
    until: Annotated[str, typer.Option("--until", help="Moment before which to end")] = "",
) -> None:
    """Send records to the syslog collector (IDP_AUDIT_SYSLOG) over TLS; recorded as an export."""
    from idp.audit import export, log, origin, search
    from idp.audit.collector import Collector
    from idp.audit.events import Event
    from idp.audit.forms import FORMS
    from idp.database import transaction
    from idp.settings import NotConfigured

    with opened() as database:
        if not database.settings.audit_syslog:
            raise NotConfigured("IDP_AUDIT_SYSLOG: name the collector, such as logs.example.org:6514")
        filters = search.read({"since": since, "until": until})
        with origin.acting_as("operator"), transaction(database) as db:
            log.record(db, Event("audit.log.exported", details={"filters": filters.given(), "form": "syslog, sent"}))
        collector = Collector(database.settings)
        try:
            count = collector.send(export.lines(database, filters, FORMS["syslog"]))
        except OSError as problem:
            raise typer.BadParameter(f"The collector did not take them: {problem}") from None
        finally:
            collector.close()
    typer.echo(f"{count} records were sent.")
