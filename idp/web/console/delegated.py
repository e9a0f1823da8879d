"""What the API takes about outside companies, leave, emergencies and vouching; unknown members are refused."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from idp.entitlements.chains import Scope
from idp.web.console.bodies import Id, Key, Line, Moment, Sent

Sentence = Annotated[str, Field(max_length=300, pattern=r"^[^\x00]*$")]


class Delegated(Sent):
    """What a company shall do, in which lines, where and until when."""

    functions: Annotated[list[Key], Field(min_length=1, max_length=200)]
    lines: Annotated[list[Line], Field(min_length=1, max_length=4)]
    places: Annotated[list[Id] | None, Field(max_length=500, description="Ids of places; null for all of them.")] = None
    ends_at: Annotated[AwareDatetime, Field(description="With zone, exclusive; what a company gets always ends.")]

    def scope(self) -> Scope:
        """Return it as the domain's measure."""
        places = tuple(self.places) if self.places is not None else None
        return Scope(tuple(self.functions), tuple(self.lines), places, self.ends_at)


class Delegate(Delegated):
    """A delegation to make."""

    company: Id
    redelegable: Annotated[bool, Field(description="The company may pass it on, within it.")] = False


class DelegationAnswer(Sent):
    """The answer to a company that asks: accepted with a measure within what it asked for, or denied."""

    accept: Delegated | None = None
    redelegable: Annotated[bool, Field(description="The company may pass it on, within it.")] = False
    deny: Annotated[Sentence | None, Field(description="Why not; the company reads it.")] = None


class Assign(Delegated):
    """One of the company's people, and what they shall do."""

    account: Id


class PassOn(Delegated):
    """To which company a delegation is passed on, and how much of it."""

    company: Id
    redelegable: Annotated[bool, Field(description="The other company may pass it on, within it.")] = False


class EndOwn(Sent):
    """What the company ends: its delegation, or the one by which it passed that on."""

    passed_on: Annotated[Id | None, Field(description="Id of the delegation to take back; null gives back.")] = None


class Ask(Delegated):
    """What a company asks a practice for; places are the practice's to name."""

    places: None = None
    tin: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[^\x00]*$")]
    note: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")]


class InviteColleague(Sent):
    """One person to invite into the company."""

    name: Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00]*$")]
    email: Annotated[str, Field(max_length=254, pattern=r"^[^\x00]*$")]
    administrator: bool = False


class Named(Sent):
    """Whether somebody shall administer the company."""

    administrator: bool


class EndDelegation(Sent):
    """Why a delegation ends."""

    reason: Literal["contract_ended", "other_company", "misuse", "other"]


class Leave(Sent):
    """From when until when somebody is away, in all lines the caller manages."""

    starts_at: Moment = None
    ends_at: Moment = None


class EmergencyReview(Sent):
    """What was found about a use of emergency access."""

    verdict: Literal["justified", "not_justified"]
    note: Sentence


class EmergencyLift(Sent):
    """Why emergency access can be open again to who used it without need."""

    why: Sentence


class Word(Sent):
    """The manager's word for somebody who lost their second step."""

    spoke: Annotated[bool, Field(description="I spoke to them and know it is them.")]
