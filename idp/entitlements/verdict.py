"""What one gate says: Pass, or Stop with the reason that becomes the answer."""

from dataclasses import dataclass
from typing import NamedTuple

PERMIT, DENY, ROUTED, STEP_UP = "permit", "deny", "routed", "step_up"


@dataclass(frozen=True, slots=True)
class Contact:
    """Who answers instead of us."""

    name: str
    phone: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The strength that is missing: an `acr` value, and how many seconds the factor may be old."""

    acr: str
    max_age: int | None = None


class Pass(NamedTuple):
    """The gate is open; `because` names the grants it rests on."""

    because: tuple[str, ...] = ()


class Stop(NamedTuple):
    """The gate is closed; the first Stop is the answer."""

    reason: str
    outcome: str = DENY
    because: tuple[str, ...] = ()
    contact: Contact | None = None
    wanted: Wanted | None = None


Verdict = Pass | Stop
PASS = Pass()
