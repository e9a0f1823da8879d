"""Reading events and labels from JSON lines, strictly: every mistake is told with its line and field."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from idp.errors import Refused
from idp.sharing.events import Event, Factor, FactorChange, Label, Leave, Report, Request, SignIn

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])
_LABEL: TypeAdapter[Label] = TypeAdapter(Label)
T = TypeVar("T")


class Unreadable(Refused):
    """A line of the file is not what docs/sharing.md describes."""


def events(path: Path) -> Iterator[Event]:
    """Read events in the file's order; acts must come in order of time. Raises `Unreadable`."""
    latest = float("-inf")
    for number, event in lines(path, _EVENT):
        if isinstance(event, SignIn | Request | Factor | FactorChange | Report):
            if event.time < latest:
                raise Unreadable(f"{path.name} line {number}, field time: earlier than the line before; sort by time.")
            latest = event.time
        elif isinstance(event, Leave) and event.ends <= event.begins:
            raise Unreadable(f"{path.name} line {number}, field ends: not after begins.")
        yield event


def labels(path: Path) -> list[Label]:
    """Read labels. Raises `Unreadable`."""
    found = []
    for number, label in lines(path, _LABEL):
        if label.ends <= label.begins:
            raise Unreadable(f"{path.name} line {number}, field ends: not after begins.")
        found.append(label)
    return found


def written(time: float) -> str:
    """Write a time as the files do."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds")


def lines(path: Path, shape: TypeAdapter[T]) -> Iterator[tuple[int, T]]:
    """Read lines of JSON of one shape, with their numbers. Raises `Unreadable`."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    yield number, shape.validate_json(line)
                except ValidationError as mistake:
                    raise Unreadable(f"{path.name} line {number}, {_told(mistake)}") from None
    except OSError as mistake:
        raise Unreadable(f"{path} can't be read: {mistake.strerror}.") from None


def _told(mistake: ValidationError) -> str:
    """Name the field and what is wrong with it."""
    first = mistake.errors(include_url=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return f"not JSON: {first['msg'].removeprefix('Invalid JSON: ')}."
    if first["type"].startswith("union_tag"):
        return f"field kind: {'missing' if first['type'].endswith('not_found') else first['msg']}."
    names = [str(part) for part in first["loc"]]
    if len(names) > 1 and isinstance(first["loc"][0], str):
        names = names[1:] if names[0] in KINDS else names
    return f"field {'.'.join(names) or '(whole line)'}: {first['msg'].removeprefix('Value error, ')}."


KINDS = frozenset(
    ["provider", "device", "network", "account", "leave", "sign_in", "request", "factor", "factor_change", "report"]
)
