"""`idp decide`: ask for decisions at any instant, one or a file of them; why, what if, and who could.

Looks only: nothing is granted, and every answer is marked as simulated. Each question is recorded as the operator's.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

if TYPE_CHECKING:
    from sqlmodel import Session

    from idp.database import Database
    from idp.entitlements.question import AskingApp

AT_ONCE = 200
"""Questions of one transaction."""


def decide(  # noqa: PLR0917 - the options of a command
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Questions, one JSON object a line, as for the API (- reads standard input)",
            exists=True,
            dir_okay=False,
            allow_dash=True,
        ),
    ] = None,
    account: Annotated[str | None, typer.Option(help="acc_...")] = None,
    function: Annotated[str | None, typer.Option(help="Key, such as claim.status.view")] = None,
    provider: Annotated[str | None, typer.Option(help="prv_...")] = None,
    line: Annotated[str | None, typer.Option(help="Line of business [default: the app's]")] = None,
    at: Annotated[str | None, typer.Option(help="Moment, or a day [default: now]")] = None,
    purpose: Annotated[str | None, typer.Option(help="Purpose code")] = None,
    record: Annotated[str | None, typer.Option(help="Facts of the claim or service, as JSON")] = None,
    session: Annotated[str | None, typer.Option(help="ses_... [default: signed in well enough]")] = None,
    suppose: Annotated[str | None, typer.Option(help="Hypothetical changes, as JSON (docs/deciding.md)")] = None,
    client: Annotated[str | None, typer.Option(help="Ask as this app [default: as this service]")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say what each gate says")] = False,
) -> None:
    """Answer whether somebody may do something, at any instant, and why."""
    from idp.cli.opened import opened

    if file is None and (account is None or function is None or provider is None):
        raise typer.BadParameter("Give --account, --function and --provider, or a file of questions.")
    with opened() as database:
        if file is not None:
            for told in answers(database, _lines(file), client):
                typer.echo(orjson.dumps(told).decode())
            return
        context: dict[str, Any] = {"purpose": purpose, "at": at, "explain": explain}
        context["assume_authenticated"] = session is None
        for name, text in (("record", record), ("suppose", suppose)):
            if text is not None:
                context[name] = _json(text, name)
        body = {
            "subject": {"type": "account", "id": account, "properties": {"sid": session}},
            "action": {"name": function},
            "resource": {"type": "provider", "id": provider, "properties": {"line_of_business": line}},
            "context": context,
        }
        for told in answers(database, [body], client):
            typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())


def answers(database: "Database", bodies: Iterable[Any], client: str | None) -> Iterator[dict[str, Any]]:
    """Yield what the API would answer a caller with `access:simulate`; a mistake is told as the API tells it."""
    from idp.audit import origin
    from idp.database import transaction

    for some in batched(bodies, AT_ONCE):
        with origin.acting_as("operator"), transaction(database) as db:
            told = [_answer(db, body, _app(db, client), database.settings.issuer) for body in some]
        yield from told


def batched(bodies: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield the bodies in lists of a size."""
    rest = iter(bodies)
    while some := list(islice(rest, size)):
        yield some


def _answer(db: "Session", body: Any, app: "AskingApp", issuer: str) -> dict[str, Any]:
    from idp.audit import log
    from idp.entitlements import asking, explaining, told
    from idp.entitlements import decision as deciding
    from idp.errors import Refused
    from idp.web.authzen import asked
    from idp.web.authzen.answered import answer_of, explained, refused

    scopes = frozenset({asked.SIMULATE})
    try:
        if not isinstance(body, dict):
            raise asked.Malformed("Each question must be a JSON object.")
        question = asked.question_of(body, app, scopes)
    except Refused as problem:
        return refused(problem)
    facts = asking.look_in_session(db, question)
    decision = replace(deciding.decide(facts), simulated=True)
    log.record(db, told.event(question, decision))
    if asked.wants_explanation(body.get("context"), scopes):
        return explained(explaining.explain(facts, decision), issuer)
    return answer_of(decision, issuer)


def _app(db: "Session", client: str | None) -> "AskingApp":
    from idp.entitlements.question import OURSELVES, AskingApp
    from idp.oauth.tables import Client

    if client is None:
        return OURSELVES
    row = db.get(Client, client)
    if row is None:
        raise typer.BadParameter("There is no such app.", param_hint="--client")
    return AskingApp(
        client_id=row.client_id,
        channel=row.channel,
        lines=tuple(row.lines),
        default_line=row.default_line,
        entitlements=None if row.entitlements is None else frozenset(row.entitlements),
        active=row.status == "active",
        partner_id=row.partner_id,
        name=row.name,
    )


def _lines(file: Path) -> Iterator[Any]:
    with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as stream:
        for raw in stream:
            if raw.strip():
                try:
                    yield orjson.loads(raw)
                except orjson.JSONDecodeError:
                    yield None  # answered as a mistake, so that answers stay in step with questions


def _json(text: str, name: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise typer.BadParameter("This is not JSON.", param_hint=f"--{name}") from None


def who(
    function: Annotated[str, typer.Argument(help="Key, such as claim.status.view")],
    provider: Annotated[str, typer.Argument(help="prv_...")],
    day: Annotated[str, typer.Argument(help="2026-01-31, in UTC")],
    line: Annotated[str, typer.Option(help="Line of business")] = "medical",
) -> None:
    """Print who could do something for a practice on a day, and who held it and could not, and why, as CSV."""
    import csv
    from datetime import UTC, datetime, time, timedelta

    from idp.audit import origin
    from idp.cli.opened import opened
    from idp.database import transaction
    from idp.entitlements.tables import Entitlement
    from idp.errors import NotFound
    from idp.providers import organisations
    from idp.web.desk import who_table

    try:
        starts = datetime.combine(datetime.fromisoformat(day).date(), time(), UTC)
    except ValueError:
        raise typer.BadParameter("Give a day such as 2026-01-31.", param_hint="DAY") from None
    asked, ends = who_table.Asked(provider, function, line), starts + timedelta(days=1)
    with opened() as database:
        with origin.acting_as("operator"), transaction(database) as db:
            if db.get(Entitlement, function) is None:
                raise NotFound(f"There is no function {function}.")
            organisations.find(db, provider)
            who_table.exporting(db, asked, starts, ends)
        csv.writer(sys.stdout).writerows(who_table.exported(database, asked, starts, ends))
