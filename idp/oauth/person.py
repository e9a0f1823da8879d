"""What apps may learn of a person: by scope, or by the `claims` parameter (OpenID Connect Core 5.4, 5.5)."""

import json
from collections.abc import Sequence
from typing import Any

from idp.oauth.liveness import Standing

BY_SCOPE = {
    "profile": ("name", "given_name", "family_name", "locale"),
    "email": ("email", "email_verified"),
}
CLAIMS = ("name", "given_name", "family_name", "locale", "email", "email_verified", "provider", "provider_name")
"""Every claim of a person that can be asked for."""


def known_of(columns: Sequence[Any], found: Standing) -> dict[str, Any]:
    """Name the columns of `liveness.PERSON`; what is not known is left out."""
    name, given, family, locale, verified, email = tuple(columns)[:6]
    known = {
        "name": name,
        "given_name": given,
        "family_name": family,
        "locale": locale,
        "email": verified or email,
        "email_verified": bool(verified) if (verified or email) else None,
        "provider": found.provider_id,
        "provider_name": found.provider_name,
    }
    return {claim: value for claim, value in known.items() if value is not None}


def asked_claims(stored: Any, where: str) -> dict[str, Any]:
    """Return the claims a request asked for at `userinfo` or `id_token`; stored JSON may be text."""
    value = json.loads(stored) if isinstance(stored, str) else stored
    part = value.get(where) if isinstance(value, dict) else None
    return part if isinstance(part, dict) else {}


def disclosed(known: dict[str, Any], scopes: set[str] | frozenset[str], asked: dict[str, Any]) -> dict[str, Any]:
    """Return what scopes and asked claims let an app see."""
    names = {claim for scope in scopes for claim in BY_SCOPE.get(scope, ())}
    names |= {claim for claim in asked if claim in CLAIMS}
    return {claim: known[claim] for claim in CLAIMS if claim in names and claim in known}
