"""Why, and what if: the page on which a manager, support or security asks about one person at one moment.

The address names the person, the function, the practice and the moment; what is supposed is chosen from what the person
has there, so nobody learns of a record by guessing its id. Every question is a decision in the log, marked simulated.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts.tables import Account
from idp.audit import log
from idp.database import of
from idp.database.lane import drive
from idp.entitlements import asking, bundles, explaining, supposing, told
from idp.entitlements.decision import DECIDED_BY, OURSELVES, Question, decide
from idp.entitlements.gates.purpose import purpose
from idp.entitlements.question import LINES, Supposition
from idp.entitlements.sentences import sentence
from idp.entitlements.supposing import NotSupposable
from idp.entitlements.tables import Appointment, Delegation, Entitlement, Grant
from idp.errors import Invalid
from idp.providers.tables import Affiliation, Provider
from idp.web import dates, givers, said_of

NAMES = frozenset({"function", "line", "at", "without", "give", "job", "less", "more", "account_number", "owner"})
OWNERS = {"partner": "its administrator", "insurer": "the insurer", "affiliate": "the affiliate"}


@dataclass(frozen=True, slots=True)
class Choice:
    """Something that could have ended: its id, and what it is in words."""

    id: str
    words: str


def asked(account_id: str, provider_id: str, given: dict[str, str], choices: list[Choice], zone: str) -> Question:
    """Return the question an address asks. Raises Invalid for what can't be asked or supposed."""
    line = given.get("line") or "medical"
    if line not in LINES:
        raise Invalid(fields={"line": "Choose a line of business."})
    number = given.get("account_number", "").strip()
    return Question(
        account_id,
        given.get("function", ""),
        provider_id,
        OURSELVES,
        line=line,
        at=moment(given["at"], zone) if given.get("at") else None,
        assume_authenticated=True,
        record={"shared_account": number} if number else {},
        supposes=_supposed(given, {one.id for one in choices}, number),
    )


def moment(typed: str, zone: str) -> datetime:
    """Return the moment or day that was typed, a day being its start in the zone of the pages. Raises Invalid."""
    for form in ("%Y-%m-%d", "%m/%d/%Y"):
        try:
            return dates.start_of(datetime.strptime(typed, form).date(), zone)  # noqa: DTZ007 - a day has no zone
        except (ValueError, OverflowError):
            continue
    for form in ("%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S.%f"):
        try:
            return datetime.strptime(typed, form).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    try:
        at = datetime.fromisoformat(typed)
        return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Invalid(fields={"at": "Enter a day such as 11/21/2026, or leave this empty for now."}) from None


def _typed(at: datetime, zone: str) -> str:
    """Write a moment as `moment` reads it: a day where it is its start, else with the time, to the microsecond."""
    local = at.astimezone(ZoneInfo(zone))
    if at == dates.start_of(local.date(), zone):
        return dates.us(local.date())
    whole = f"{local:%m/%d/%Y %H:%M:%S.%f}"
    if moment(whole, zone) != at:  # the hour that comes twice when clocks go back
        return at.isoformat()
    return whole.removesuffix(".000000")


def _supposed(given: dict[str, str], known: set[str], number: str) -> tuple[Supposition, ...]:
    wanted: list[dict[str, Any]] = []
    for one in given.get("without", "").split():
        if one not in known:
            raise Invalid(fields={"without": "Choose something this person has here."})
        wanted.append({"end": one})
    if given.get("give"):
        wanted.append({"grant": given["give"], "line": given.get("line") or "medical"})
    if given.get("job") and (given.get("less") or given.get("more")):
        change = {"with": given.get("more"), "without": given.get("less")}
        wanted.append({"bundle": given["job"], **{name: [key] for name, key in change.items() if key}})
    if given.get("owner"):
        if not number:
            raise Invalid(fields={"account_number": "Enter the number of the shared account."})
        wanted.append({"owner": given["owner"], "function": given.get("function", ""), "shared_account": number})
    try:
        return supposing.read(wanted)
    except NotSupposable as problem:
        raise Invalid(fields={"without": str(problem)}) from None


def choices(db: Db, account_id: str, provider_id: str, line: str) -> list[Choice]:
    """Return what a person has at a practice, now or once, that a question may suppose had ended."""
    tables: tuple[type[Any], ...] = (Affiliation, Appointment, Grant)
    names, zone = _function_names(db), of(db).settings.time_zone
    found = []
    for table in tables:
        for row in db.exec(select(table).where(table.account_id == account_id, table.provider_id == provider_id)):
            if isinstance(row, Grant):
                of_line, words, since = (
                    row.line_of_business,
                    names.get(row.entitlement, row.entitlement),
                    row.not_before,
                )
                words += " (pause)" if row.effect == "deny" else ""
            else:
                managing = isinstance(row, Appointment)
                of_line, words = (row.line, "Access manager") if managing else (line, "Working here")
                since = row.starts_at
            if of_line == line:
                found.append(Choice(row.id, f"{words}, since {_day(since, zone)}{', ended' if row.ended_at else ''}"))
    delegations = db.exec(select(Delegation).where(col(Delegation.provider_id) == provider_id))
    of_line_too = [one for one in delegations if line in one.lines]
    return found + [Choice(one.id, f"Delegation since {_day(one.starts_at, zone)}") for one in of_line_too]


def _function_names(db: Db) -> dict[str, str]:
    return {one.key: one.name for one in db.exec(select(Entitlement)).all()}


def _day(at: datetime, zone: str) -> str:
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%b} {local.day}, {local.year}"


def shown(db: Db, question: Question, given: dict[str, str], known: list[Choice]) -> dict[str, Any]:
    """Decide, record, explain; return what the page shows."""
    facts = asking.look_in_session(db, question)
    decision = replace(decide(facts), simulated=True)
    each_time = decision.reason == "purpose_required"
    # What no page can name is each request's own: the answer shown is that of the checks beside it.
    shows = decide(facts, [gate for gate in DECIDED_BY if gate is not purpose]) if each_time else decision
    log.record(db, told.event(question, decision))
    as_it_is = {name: given[name] for name in ("account", "provider", "function", "line", "at") if given.get(name)}
    given_by = drive(db, explaining.sources(decision.because))
    explanation = explaining.explain(facts, decision)
    closed = [step.gate for step in explanation.steps if not (step.open or step.reason == "purpose_required")]
    return {
        "given": given | ({"at": _typed(question.at, of(db).settings.time_zone)} if question.at else {}),
        "question": question,
        "explanation": explanation,
        "each_time": each_time,
        "yes": shows.allowed,
        "stopped_at": closed[0] if closed else None,
        "said": sentence(shows),
        "contact": shows.contact,
        "given_by": given_by,
        "by": givers.names(db, given_by),
        "named": said_of.named(db, [*(one for step in explanation.steps for one in step.rests_on), *decision.because]),
        "reasons": givers.REASONS,
        "moment": clock.from_micros,
        "whom": db.get(Account, question.account_id),
        "practice": db.get(Provider, question.provider_id),
        "function": db.get(Entitlement, question.entitlement),
        "supposed": [_words(db, one, known) for one in question.supposes],
        "as_it_is": "?" + urlencode(as_it_is),
        **forms(db, known),
    }


def forms(db: Db, known: list[Choice]) -> dict[str, Any]:
    """Return what the forms of the page choose from."""
    functions = db.exec(select(Entitlement).order_by(col(Entitlement.app), col(Entitlement.name))).all()
    return {
        "choices": known,
        "all_functions": functions,
        "all_jobs": bundles.current(db),
        "owners": OWNERS,
    }


def _words(db: Db, one: Supposition, known: list[Choice]) -> str:
    if one.kind == "end":
        return next((choice.words for choice in known if choice.id == one.id), one.id) + " had ended"
    names = _function_names(db)
    if one.kind == "grant":
        return f"{names.get(one.id, one.id)} had been given"
    if one.kind == "bundle":
        jobs = {job.key: job.name for job in bundles.current(db)}
        parts = [
            f"{word} {names.get(keys[0], keys[0])}" for word in ("with", "without") if (keys := one.values.get(word))
        ]
        return f"the job {jobs.get(one.id, one.id)} came {' and '.join(parts)}"
    return f"{OWNERS[one.id]} answered for it on account {one.values['shared_account']}"


def query(pairs: list[tuple[str, str]], known: frozenset[str]) -> dict[str, str]:
    """Return an address's fields, each once. Raises Invalid."""
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given or name not in known or len(value) > 256:
            raise Invalid(fields={name: "This can't be asked."})
        given[name] = value
    return given
