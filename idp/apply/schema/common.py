"""Building blocks of the applied file: entries, moments, secrets, contacts."""

import os
import re
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

Line = Literal["medical", "behavioural", "dental", "medicare_advantage"]
Ref = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S(.*\S)?$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=500)]


def wrong(sentence: str) -> PydanticCustomError:
    """Return a refusal whose sentence is shown as it is; it must not repeat the value."""
    return PydanticCustomError("applied", "{sentence}", {"sentence": sentence})


def development(info: ValidationInfo) -> bool:
    """Say whether the file is read for a development deployment."""
    return bool((info.context or {}).get("development"))


_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
_RANGE = "must lie between 1900-01-01 and 9999-12-31"
"""What pages can show in any time zone."""


def _within(moment: datetime) -> datetime:
    if not _FIRST <= moment <= _LAST:
        raise wrong(_RANGE)
    return moment


def _moment(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if len(value) > 10 else date.fromisoformat(value)
        except ValueError:
            raise wrong("must be a date (2026-01-31) or a time with its zone (2026-01-31T08:00:00Z)") from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise wrong("needs a time zone: 2026-01-31T08:00:00Z, or a date alone")
        try:
            return _within(value.astimezone(UTC))
        except OverflowError:
            raise wrong(_RANGE) from None
    if isinstance(value, date):
        return _within(datetime.combine(value, time(), UTC))
    raise wrong("must be a date (2026-01-31) or a time with its zone (2026-01-31T08:00:00Z)")


Moment = Annotated[datetime, BeforeValidator(_moment)]
"""A date is the start of that day in UTC; as an end it is exclusive (decisions.md 12)."""


class Secret:
    """A secret of the file: `env:NAME`, `file:NAME`, or in development the text itself. Never shown."""

    def __init__(self, written: str) -> None:
        self._written = written

    def __repr__(self) -> str:
        return "Secret(...)"

    def reveal(self, folder: Path) -> str:
        """Return the secret; raise ValueError with a sentence that does not hold it."""
        kind, _, name = self._written.partition(":")
        if kind == "env" and name:
            if not os.environ.get(name):
                raise ValueError(f"the environment variable {name} is not set")
            return os.environ[name]
        if kind == "file" and name:
            try:
                return (folder / name).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as problem:
                raise ValueError(f"the file {name} cannot be read: {type(problem).__name__}") from None
        return self._written


def _secret(value: Any, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value:
        raise wrong("must be env:NAME or file:NAME")
    if not re.match(r"(env|file):\S+$", value) and not development(info):
        raise wrong("must be env:NAME or file:NAME; a secret in the file itself is for development only")
    return Secret(value)


SecretText = Annotated[Any, BeforeValidator(_secret)]


class Entry(BaseModel):
    """Anything in the file: unknown fields are refused, nothing is changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, populate_by_name=True)


class Dated(Entry):
    """Something in force from a moment until another; without `from`, since it was first applied."""

    starts: Moment | None = Field(default=None, alias="from")
    until: Moment | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "Dated":
        if self.starts and self.until and self.until <= self.starts:
            raise wrong("`until` must be later than `from`")
        return self


class Ending(Dated):
    """Something whose end date is all that is kept: `ended` says that it came to its end before `until`."""

    @model_validator(mode="before")
    @classmethod
    def _earlier_end(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("ended") is None:
            return data
        ended, until = _moment(data["ended"]), data.get("until")
        rest = {name: value for name, value in data.items() if name != "ended"}
        return {**rest, "until": ended if until is None else min(ended, _moment(until))}


class Was(Entry):
    """What something was from a moment on, until the next line of its `history` (development)."""

    starts: Moment = Field(alias="from")

    @model_validator(mode="after")
    def _says_something(self) -> "Was":
        if len(self.model_fields_set) < 2:
            raise wrong("must say what it was from then on")
        return self


class Contact(Entry):
    """Whom to ask."""

    name: str = ""
    phone: str = ""
    url: str = ""


def _development_only(value: Any, info: ValidationInfo) -> Any:
    if value is not None and not development(info):
        raise wrong("may be set in development only (IDP_DEVELOPMENT=1)")
    return value


def id_of(prefix: str) -> Any:
    """Return the type of an `id` field: chosen in development only, made by us elsewhere."""
    return Annotated[
        Annotated[str, StringConstraints(pattern=rf"^{prefix}_[A-Za-z0-9_-]{{1,36}}$")] | None,
        BeforeValidator(_development_only),
    ]


DevelopmentOnly = BeforeValidator(_development_only)
