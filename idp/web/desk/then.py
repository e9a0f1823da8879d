"""From the record of a decision to its "Why": the same person, function, practice, line and moment."""

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from idp import clock
from idp.entitlements.question import LINES

EVENT = "entitlements.decision.made"


def why(area: str, said: dict[str, Any], at: datetime) -> str | None:
    """Return where the checks of a recorded decision are explained; None for a record that is no such decision.

    `area` is `security` or `support`. A decision about another day is explained for that day.
    """
    told = said.get("details", {})
    asked = {name: said.get(kept) for name, kept in _FIELDS.items()} | {"line": told.get("line")}
    a_person_s = str(asked["account"]).startswith("acc_") and asked["line"] in LINES
    if said.get("event") != EVENT or not a_person_s or not all(isinstance(one, str) for one in asked.values()):
        return None
    return f"/{area}/why?" + urlencode(asked | {"at": told.get("at") or clock.iso(at)})


_FIELDS = {"account": "account", "function": "entitlement", "provider": "provider"}
