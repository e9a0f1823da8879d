"""What the console's API takes and gives: its names are the documented ones; unknown members are refused."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from idp.wam import review_report

Line = Literal["medical", "behavioural", "dental", "medicare_advantage"]
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
Key = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z_.]+$")]
Moment = Annotated[
    AwareDatetime | None, Field(description="With zone; None for now (a start) or no end. An end is exclusive.")
]


class Sent(BaseModel):
    """A request body."""

    model_config = ConfigDict(extra="forbid")


class Change(Sent):
    """What a person shall be able to do in one line."""

    line: Line
    functions: Annotated[list[Key], Field(max_length=200)] = []
    bundle: Key | None = None
    starts_at: Moment = None
    ends_at: Moment = None
    dates_for_all: bool = False


class ConfirmedChange(Change):
    """A change that was previewed."""

    seen: Annotated[str, Field(max_length=64, description="`seen` of the preview the change was decided on.")]
    reason: Text


class Removal(Sent):
    """What ends, and why."""

    function: Key | None = None
    lines: Annotated[list[Line], Field(min_length=1, max_length=4)]
    reason: Literal["left", "role_change", "misuse", "other"]
    note: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] = ""
    left_at: Moment = None


class Invite(Sent):
    """One person to invite."""

    name: Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00]*$")]
    email: Annotated[str, Field(max_length=254, pattern=r"^[^\x00]*$")] = ""
    works_as: Literal["employee", "representative", "agent"] = "employee"
    bundle: Key | None = None
    ends_at: Annotated[
        AwareDatetime | None,
        Field(description="When the job ends (exclusive). Left out: a year from today; null: never."),
    ] = None
    line: Line


class Mend(Sent):
    """What an open invitation shall say."""

    name: Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00]*$")]
    email: Annotated[
        str,
        Field(max_length=254, pattern=r"^[^\x00]*$", description="Another one gets a new link; empty keeps it."),
    ] = ""


class Import(Sent):
    """A file of people to invite."""

    csv: Annotated[str, Field(min_length=1, max_length=600_000, pattern=r"^[^\x00]*$")]
    line: Line


class Decision(Sent):
    """The answer to a request for access, or to an application."""

    answer: Literal["approve", "deny"]
    reason: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] = ""
    ends_at: Moment = None
    works_as: Literal["employee", "representative", "agent"] | None = None
    bundle: Key | None = None


class SecondWord(Sent):
    """The second manager's answer about a change that needs two."""

    answer: Literal["confirm", "refuse"]


class Answers(Sent):
    """Answers about people of a review."""

    answers: Annotated[dict[Id, Literal["keep", "change", "remove"]], Field(min_length=1, max_length=2000)]


class Signature(Sent):
    """The signer's word."""

    word: Annotated[bool, Field(description=f"You say: {review_report.WORD}")]


class Appoint(Sent):
    """Who shall become an access manager."""

    account: Id
    line: Line


class EndAppointment(Sent):
    """Why an appointment ends."""

    reason: Literal["left", "role_change", "other"]


class Given(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid")


class Person(Given):
    """One row of the roster."""

    account: str
    name: str
    status: str
    works_as: str
    company: str | None
    manages: bool
    jobs: list[str]
    functions: int
    paused: bool
    emergency: bool
    ends_at: datetime | None
    last_seen_at: datetime | None


class Left(Given):
    """Somebody who left the practice; their page and receipts stay."""

    account: str
    name: str
    left_at: datetime


class People(Given):
    """One page of the roster."""

    total: int
    people: list[Person]
    left: list[Left]
    """Of a search, on its first page: the newest who left and whose names match."""
    next: str | None


class Invited(Given):
    """One invitation; its link is nowhere in it."""

    invitation: str
    name: str
    email: Annotated[str, Field(description="Shown in part.")]
    works_as: str
    line: str
    bundle: str | None
    ends_at: Annotated[datetime | None, Field(description="When the job's access ends (exclusive).")]
    invited_by: str
    expires_at: Annotated[datetime, Field(description="Until when its link works.")]
    state: Literal["open", "used", "withdrawn", "expired"]
    taken_up_by: str | None


class Invitations(Given):
    """Those nobody took up."""

    invitations: list[Invited]


class Held(Given):
    """One function somebody holds."""

    grant: str
    function: str
    name: str
    line: str
    since: datetime
    until: datetime | None
    given_by: str
    job: str | None
    paused: bool
    emergency: bool


class OnePerson(Given):
    """One person of the practice."""

    account: str
    name: str
    status: str
    works_here: bool
    manages: list[str]
    held: list[Held]


class Rows(Given):
    """One page of a report."""

    total: int
    rows: list[dict[str, Any]]
    next: str | None


class Problem(BaseModel):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    reference: str
    fields: dict[str, str] | None = None
