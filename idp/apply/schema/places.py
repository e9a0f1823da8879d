"""Where an organisation works, and treatments it goes on with from outside the network."""

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from idp.apply.schema.common import Dated, Entry, Line, Moment, Text, wrong

Npi = Annotated[str, StringConstraints(pattern=r"^\d{10}$")]
Word = Annotated[str, StringConstraints(max_length=200)]


class Location(Dated):
    """A place where the organisation works; its name tells it from the others."""

    name: Annotated[Text, StringConstraints(max_length=200)]
    line1: Word = ""
    line2: Word = ""
    city: Word = ""
    state: Word = ""
    postal_code: Word = ""
    country: Word = ""
    phone: Word = ""


class Continuity(Entry):
    """A line opened for a time to an organisation outside the network that goes on with a treatment (O-08)."""

    line: Line = "medical"
    reference: Annotated[Text, StringConstraints(max_length=60)]
    starts: Moment | None = Field(default=None, alias="from")
    until: Moment

    @model_validator(mode="after")
    def _in_order(self) -> "Continuity":
        if self.starts and self.until <= self.starts:
            raise wrong("`until` must be later than `from`")
        return self
