"""The whole file: its sections, and how a mistake in it is told."""

from typing import Annotated, Any

from pydantic import Field, ValidationError

from idp.apply.schema.apps import Client, ResourceServer
from idp.apply.schema.common import DevelopmentOnly, Entry
from idp.apply.schema.organisations import Partner, Provider, Upstream
from idp.apply.schema.people import Appointment, Grant, Person, Session, Terms
from idp.apply.schema.policy import Duty, Function, Job, Settings
from idp.apply.schema.trust import Community
from idp.apply.source import FileWrong, Place, Source


class Document(Entry):
    """An applied file, valid in itself; whether its refs exist is seen when it is applied."""

    settings: Settings | None = None
    functions: list[Function] = []
    jobs: list[Job] = []
    duties: list[Duty] = []
    terms: list[Terms] = []
    partners: list[Partner] = []
    clients: list[Client] = []
    resource_servers: list[ResourceServer] = []
    upstreams: list[Upstream] = []
    communities: list[Community] = []
    providers: list[Provider] = []
    people: list[Person] = []
    appointments: list[Appointment] = []
    grants: list[Grant] = []
    sessions: Annotated[list[Session], DevelopmentOnly] = Field(default=[])


_SAID = {
    "extra_forbidden": "is not a field of this section",
    "missing": "is missing",
}


def parse(source: Source, *, development: bool) -> Document:
    """Turn a file into a Document; raise FileWrong with every mistake, its line and field; no value is repeated."""
    try:
        document = Document.model_validate(source.data, context={"development": development})
    except ValidationError as problem:
        raise FileWrong([_told(source, error) for error in problem.errors(include_input=False)]) from None
    _refuse_doubles(source, document)
    return document


def _told(source: Source, error: Any) -> str:
    place = tuple(part for part in error["loc"] if not _is_of_a_union(part))
    return source.problem(place, _SAID.get(error["type"]) or error["msg"].replace("Input should", "must"))


def _is_of_a_union(part: Any) -> bool:
    """Pydantic names the tried alternative in the place (`list[Acceptance]`, `Attested`); people did not write it."""
    return isinstance(part, str) and (part[:1].isupper() or "[" in part or part.startswith(("literal", "function-")))


_KEYS: dict[str, Any] = {
    "terms": lambda e: (e.kind, e.version),
    "functions": lambda e: e.key,
    "jobs": lambda e: e.bundle,
    "duties": lambda e: tuple(sorted((e.first, e.second))),
    "clients": lambda e: e.client_id,
    "resource_servers": lambda e: e.identifier,
    "appointments": lambda e: e.key(),
    "grants": lambda e: e.key(),
}


def _refuse_doubles(source: Source, document: Document) -> None:
    problems = []
    for section in type(document).model_fields:
        entries = getattr(document, section)
        if not isinstance(entries, list):
            continue
        seen: dict[Any, int] = {}
        for index, entry in enumerate(entries):
            key = _KEYS.get(section, lambda e: e.ref)(entry)
            if key in seen:
                place: Place = (section, index)
                problems.append(source.problem(place, f"is the same entry as {section}[{seen[key]}]; give it a `ref`"))
            seen.setdefault(key, index)
    if problems:
        raise FileWrong(problems)
