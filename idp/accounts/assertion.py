"""What an outside identity provider has proved, whatever protocol it spoke."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from idp.accounts.assurance import AAL1


@dataclass(frozen=True, slots=True)
class Assertion:
    """One proved sign-in elsewhere. Only (issuer, subject) identifies; the facts are shown, never matched."""

    upstream_id: str
    issuer: str
    subject: str
    auth_time: datetime
    acr: str = AAL1
    """Our strength, already mapped by the partner's record; missing or unknown is AAL1 (security.md 36)."""
    amr: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    """The few facts kept of what was sent (T-28): name, e-mail."""
    left_out: tuple[str, ...] = ()
    """Names of what else was sent and is not kept."""
    upstream_sid: str | None = None
    """The session over there, where the provider names it."""
    partner_id: str | None = None
    organization: str = ""
