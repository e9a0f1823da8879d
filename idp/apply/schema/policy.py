"""What holds for everybody: the settings and the functions of the catalogue, with what they were on other days."""

from typing import Annotated, Literal

from pydantic import Field

from idp.apply.schema.common import DevelopmentOnly, Entry, Text, Was
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
