"""What the detector is told: facts about places, devices and people, and what was done (docs/sharing.md)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ConfigDict, Field


def _moment(value: object) -> float:
    """Read an ISO 8601 time with an offset, as seconds since 1970."""
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("not a time such as 2026-03-02T08:15:00-06:00") from None
    if read.tzinfo is None:
        raise ValueError("the time has no offset (write Z or -06:00)")
    return read.timestamp()


def _minute(value: object) -> int:
    """Read a time of day such as 07:00, as minutes since midnight."""
    if isinstance(value, str) and len(value) == 5 and value[2] == ":" and (value[:2] + value[3:]).isascii():
        hours, minutes = value[:2], value[3:]
        if hours.isdigit() and minutes.isdigit() and int(hours) < 24 and int(minutes) < 60:
            return int(hours) * 60 + int(minutes)
    raise ValueError("not a time of day such as 07:00")


def _zone(value: object) -> str:
    """Read the name of a time zone."""
    try:
        ZoneInfo(str(value))
    except (ValueError, OSError, KeyError):
        raise ValueError("not a time zone such as America/Chicago") from None
    return str(value)


Moment = Annotated[float, BeforeValidator(_moment)]
Minute = Annotated[int, BeforeValidator(_minute)]
Zone = Annotated[str, BeforeValidator(_zone)]
Name = Annotated[str, Field(min_length=1, max_length=200, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Form = Literal["desktop", "phone", "tablet", "remote_desktop", "unknown"]
Use = Literal["fixed", "egress", "vpn", "carrier", "unknown"]
Method = Literal["totp", "sms", "email", "push", "passkey"]
CLOSED = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(slots=True)
class Provider:
    """An organization, its time zone, and its shift changes if they are known (else they are learned)."""

    __pydantic_config__ = CLOSED
    provider: Name
    time_zone: Zone
    shifts: Annotated[tuple[Minute, ...], Field(max_length=12)] = ()
    kind: Literal["provider"] = "provider"


@dataclass(slots=True)
class Device:
    """A device; `pool` says that the organization itself calls it shared."""

    __pydantic_config__ = CLOSED
    device: Name
    form: Form = "unknown"
    pool: Flag = False
    kind: Literal["device"] = "device"


@dataclass(slots=True)
class Network:
    """An address range, where it seems to be (degrees), how exactly that is known (km), and what it is."""

    __pydantic_config__ = CLOSED
    network: Name
    latitude: Annotated[float, Field(ge=-90, le=90, strict=True)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180, strict=True)] | None = None
    accuracy_km: Annotated[float, Field(ge=0, le=20000, strict=True)] = 50.0
    use: Use = "unknown"
    kind: Literal["network"] = "network"


@dataclass(slots=True)
class Account:
    """An account, its home organization, and its marked working time there (weekdays 0 = Monday)."""

    __pydantic_config__ = CLOSED
    account: Name
    provider: Name | None = None
    weekdays: Annotated[tuple[Annotated[int, Field(ge=0, le=6, strict=True)], ...], Field(max_length=7)] = ()
    begins: Minute | None = None
    ends: Minute | None = None
    kind: Literal["account"] = "account"


@dataclass(slots=True)
class Leave:
    """Marked absence of an account's person, from everything or from one provider."""

    __pydantic_config__ = CLOSED
    account: Name
    begins: Moment
    ends: Moment
    provider: Name | None = None
    kind: Literal["leave"] = "leave"


@dataclass(slots=True)
class SignIn:
    """A completed sign-in."""

    __pydantic_config__ = CLOSED
    time: Moment
    account: Name
    device: Name
    network: Name
    provider: Name | None = None
    kind: Literal["sign_in"] = "sign_in"


@dataclass(slots=True)
class Request:
    """One request for a function of a provider; `interactive` is false for what a page refreshes by itself."""

    __pydantic_config__ = CLOSED
    time: Moment
    account: Name
    device: Name
    network: Name
    function: Name
    provider: Name
    interactive: Flag = True
    kind: Literal["request"] = "request"


@dataclass(slots=True)
class Factor:
    """Use of a second factor; `delay` is the seconds between being asked and the answer."""

    __pydantic_config__ = CLOSED
    time: Moment
    account: Name
    device: Name
    network: Name
    method: Method
    delay: Annotated[float, Field(ge=0, le=86400, strict=True)]
    kind: Literal["factor"] = "factor"


@dataclass(slots=True)
class FactorChange:
    """A second factor was added, removed or recovered."""

    __pydantic_config__ = CLOSED
    time: Moment
    account: Name
    device: Name
    network: Name
    change: Literal["added", "removed", "recovered"]
    kind: Literal["factor_change"] = "factor_change"


@dataclass(slots=True)
class Report:
    """Somebody said that this login is shared or misused."""

    __pydantic_config__ = CLOSED
    time: Moment
    account: Name
    by: Literal["user", "colleague", "access_manager"]
    kind: Literal["report"] = "report"


Act = SignIn | Request | Factor | FactorChange | Report
Fact = Provider | Device | Network | Account | Leave
Event = Fact | Act


@dataclass(slots=True)
class Label:
    """What is true of an account: shared or taken over, how, from when to when."""

    __pydantic_config__ = CLOSED
    account: Name
    label: Literal["sharing", "takeover"]
    pattern: Name
    begins: Moment
    ends: Moment
    lasting: Flag = True
