"""Tell the apps that asked for it: a person's credential changed, or how strongly they are signed in (CAEP 1.0, 3)."""

from typing import Literal

from sqlalchemy import text
from sqlmodel import Session

from idp.signals import revocations

_TYPES = {"totp": "app", "recovery": "recovery-code", "all": "second-step"}
"""Our kind -> CAEP's credential type, where it is not named the same."""
_USED = text("SELECT 1 FROM token_family WHERE session_id = :s LIMIT 1")


def changed(
    session: Session, account_id: str, kind: str, change: Literal["create", "revoke", "update", "delete"]
) -> None:
    """Announce that a password or a second step was added, changed or removed."""
    facts = {"credential_type": _TYPES.get(kind, kind), "change_type": change}
    revocations.announce(session, "credential_changed", reason=change, account_id=account_id, facts=facts)


def stronger(session: Session, account_id: str, session_id: str, *, before: str, now: str) -> None:
    """Announce a step-up of a session that apps use already; a sign-in that is under way changes nothing for them."""
    if session.execute(_USED, {"s": session_id}).first() is None:
        return
    # Our acr values are of the registry of assurance profiles (RFC 6711).
    facts = {"namespace": "RFC6711", "previous_level": before, "current_level": now, "change_direction": "increase"}
    revocations.announce(
        session, "assurance_changed", reason="step_up", account_id=account_id, session_id=session_id, facts=facts
    )
