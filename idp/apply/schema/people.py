"""People with their logins, who may manage access, and what each person was given."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from idp.apply.schema.common import (
    Dated,
    DevelopmentOnly,
    Entry,
    Line,
    Moment,
    Ref,
    SecretText,
    Text,
    Was,
    id_of,
    wrong,
)

Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]


class LinkedLogin(Entry):
    """A login at an upstream: its row in the file and the subject there."""

    upstream: Ref
    subject: Text


class Affiliation(Dated):
    """The person acts for an organisation, and as what."""

    provider: Ref
    capacity: Literal["employee", "representative", "agent"] = "employee"
    partner: Ref | None = None
    locations: list[str] | None = None
    """Of a third party's person: the places they work for, by name."""
    approved_by: str = ""
    ended: Moment | None = None
    end_reason: str = "applied"


class Company(Dated):
    """The person works for an outside organisation; its administrators say what its people do."""

    partner: Ref
    administrator: bool = False
    ended: Moment | None = None
    end_reason: str = "applied"


class Acceptance(Entry):
    """Terms a test person accepted (development)."""

    kind: Literal["site", "general"]
    version: Text
    at: Moment | None = None


class Attested(Entry):
    """Why a test person may act (development)."""

    capacity: Literal["licensed_provider", "authorised_agent"] = "authorised_agent"
    principal: Text = "their practice"
    at: Moment | None = None
    until: Moment | None = None
    """Before the year is over, where it was withdrawn."""


AccountStatus = Literal["invited", "verified", "active", "suspended", "ceased", "closed"]


class PersonWas(Was):
    """A person's status or identity level on past (and coming) days."""

    status: AccountStatus | None = None
    ial: Annotated[int, Field(ge=1, le=3)] | None = None


class Person(Entry):
    """One person, one account, many logins."""

    ref: Ref
    id: id_of("acc") = None  # type: ignore[valid-type]
    name: Text
    given_name: str | None = None
    family_name: str | None = None
    locale: Literal["en", "es"] = "en"
    emails: list[Email] = []
    user_name: Annotated[str, StringConstraints(pattern=r"^\S{1,64}$")] | None = None
    password: SecretText | None = None
    totp: SecretText | None = None
    logins: list[LinkedLogin] = []
    ial: Annotated[int, Field(ge=1, le=3)] = 1
    status: AccountStatus = "active"
    history: Annotated[list[PersonWas], DevelopmentOnly] = Field(default=[])
    affiliations: list[Affiliation] = []
    companies: list[Company] = []
    terms: Annotated[Literal["accepted"] | list[Acceptance] | None, DevelopmentOnly] = None
    attested: Annotated[Literal[True] | Attested | list[Attested] | None, DevelopmentOnly] = None

    @model_validator(mode="after")
    def _fits_together(self) -> "Person":
        if self.password is not None and self.user_name is None:
            raise wrong("`password` needs `user_name`")
        return self


class Appointment(Dated):
    """A Website Access Manager of an organisation and line."""

    ref: Ref | None = None
    id: id_of("wam") = None  # type: ignore[valid-type]
    person: Ref
    provider: Ref
    line: Line = "medical"
    verified_by: str = "operator"
    ended: Moment | None = None
    end_reason: str = "applied"

    def key(self) -> str:
        """Return what finds the entry again when it has no `ref`."""
        return self.ref or f"{self.person} at {self.provider}, {self.line}"


class Grant(Dated):
    """One entitlement, or one bundle of them, for a person at an organisation."""

    ref: Ref | None = None
    id: id_of("grt") = None  # type: ignore[valid-type]
    person: Ref
    provider: Ref
    line: Line = "medical"
    entitlement: str | None = None
    bundle: str | None = None
    effect: Literal["allow", "deny"] = "allow"
    reason: Text = "applied from configuration"
    granted_by: str = "operator"
    delegation: Ref | None = None
    ended: Moment | None = None
    end_reason: str = "applied"

    @model_validator(mode="after")
    def _one_thing(self) -> "Grant":
        if (self.entitlement is None) == (self.bundle is None):
            raise wrong("give either `entitlement` or `bundle`")
        if self.bundle and (self.effect == "deny" or self.delegation or self.id):
            raise wrong("`effect`, `delegation` and `id` belong to a single entitlement, not to a bundle")
        return self

    def key(self) -> str:
        """Return what finds the entry again when it has no `ref`."""
        sign = "not " if self.effect == "deny" else ""
        return self.ref or f"{self.person} at {self.provider}, {self.line}: {sign}{self.bundle or self.entitlement}"


class Terms(Entry):
    """One version of one of the two documents people accept."""

    kind: Literal["site", "general"]
    version: Text
    title: Text
    body: Annotated[str, StringConstraints(min_length=1, max_length=200_000)]
    changes: str = ""
    effective: Moment


class Session(Entry):
    """A browser session of a test person, so that decisions of strength 2 can be asked for (development)."""

    ref: Ref
    id: id_of("ses") = None  # type: ignore[valid-type]
    person: Ref
    acr: Literal["aal1", "aal2", "phr"] = "aal2"
    amr: list[str] = ["pwd", "otp"]
    at: Moment | None = None
    factor_at: Moment | None = None
    seen_at: Moment | None = None
    until: Moment | None = None
    partner: Ref | None = None
    channel: Literal["site", "mobile", "third_party_site"] = "site"
    ended: Moment | None = None
