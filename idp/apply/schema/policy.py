"""What holds for everybody: the settings and the functions of the catalogue, with what they were on other days."""

from typing import Annotated, Literal

from pydantic import Field

from idp.apply.schema.common import DevelopmentOnly, Entry, Line, Moment, Ref, Text, Was
from idp.configuration import Clocks, Configuration, Insurer

Channels = frozenset[Literal["site", "mobile", "third_party_site"]]
Purpose = Literal["CLAIM_REDUCTION_REVIEW", "PROSPECTIVE_SERVICE"]
Need = Literal["capitation", "licence", "credentialed"]
Shared = Literal["TPA", "permit", "insurer", "insurer line", "affiliate", "by account", "none"]
Acr = Literal["aal1", "aal2", "phr"]


class SettingsWas(Was):
    """Settings a decision reads, on past (and coming) days."""

    insurer: Insurer | None = None
    clocks: Clocks | None = None
    channels: Channels | None = None


class Settings(Configuration):
    """Names people read, clocks, channels, policy values."""

    history: Annotated[list[SettingsWas], DevelopmentOnly] = Field(default=[])


class FunctionWas(Was):
    """What a function asked for on past (and coming) days."""

    name: Text | None = None
    sensitivity: Annotated[int, Field(ge=1, le=5)] | None = None
    acr: Acr | None = None
    fresh: bool | None = None
    ial: Annotated[int, Field(ge=1, le=3)] | None = None
    non_participating: bool | None = None
    shared: Shared | None = None
    purposes: list[Purpose] | None = None
    needs: list[Need] | None = None


class NextFunction(Entry):
    """What a function asks for from a day to come; what is not said stays."""

    effective: Moment
    reason: Text
    name: Text | None = None
    sensitivity: Annotated[int, Field(ge=1, le=5)] | None = None
    fresh: bool | None = None
    ial: Annotated[int, Field(ge=1, le=2)] | None = None
    non_participating: bool | None = None
    shared: Shared | None = None
    purposes: list[Purpose] | None = None
    needs: list[Need] | None = None


class Function(Entry):
    """One function of the catalogue, where it differs from what it is by default."""

    key: Text
    name: Text | None = None
    sensitivity: Annotated[int, Field(ge=1, le=5)] | None = None
    acr: Acr | None = None
    fresh: bool | None = None
    ial: Annotated[int, Field(ge=1, le=3)] | None = None
    non_participating: bool | None = None
    shared: Shared | None = None
    purposes: list[Purpose] | None = None
    needs: list[Need] | None = None
    history: Annotated[list[FunctionWas], DevelopmentOnly] = Field(default=[])
    next: NextFunction | None = None


class NextJob(Entry):
    """A job's functions from a day to come."""

    functions: Annotated[list[Text], Field(min_length=1)]
    effective: Moment
    reason: Text


class Job(Entry):
    """A job (bundle) that is not as it is by default, now or from a day to come."""

    bundle: Text
    functions: Annotated[list[Text], Field(min_length=1)] | None = None
    next: NextJob | None = None


class DutyException(Entry):
    """One person may hold a pair at one place until a day: two said so (for development; else two of staff do)."""

    person: Ref
    provider: Ref
    line: Line = "medical"
    reason: Text
    until: Moment
    asked_by: Ref = "operator"
    confirmed_by: Ref


class Duty(Entry):
    """Two functions that are never in one person's hands."""

    first: Text
    second: Text
    why: Text
    ended: bool = False
    exceptions: Annotated[list[DutyException], DevelopmentOnly] = Field(default=[])
