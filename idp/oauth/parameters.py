"""The parameters of an authorization request that have a form of their own, read one by one.

OpenID Connect Core 3.1.2.1 and 5.5. `refuse` sends an error to the app, by which time its address is proven.
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson

from idp.accounts.assurance import ORDER, rank
from idp.oauth.discovery import PROMPTS
from idp.oauth.keys import ALGORITHMS
from idp.oauth.memory import Picture
from idp.signatures import BadToken, verify


def prompts(values: dict[str, str], refuse: Any) -> frozenset[str]:
    """Return the pages that the app asks for, or `none` alone."""
    asked = frozenset(values.get("prompt", "").split())
    if not asked <= set(PROMPTS):
        refuse("invalid_request", "prompt has a value that is not supported.")
    if "none" in asked and len(asked) > 1:
        refuse("invalid_request", "prompt=none goes with no other value.")
    return asked


def max_age(values: dict[str, str], refuse: Any) -> int | None:
    """Return how many seconds ago the person may have signed in at most."""
    stated = values.get("max_age")
    if stated is None:
        return None
    if not (stated.isascii() and stated.isdigit() and len(stated) <= 9):
        refuse("invalid_request", "max_age is a number of seconds.")
    return int(stated)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")  # RFC 8259 6: Python's parser would take it


def claims(values: dict[str, str], refuse: Any) -> dict[str, Any] | None:
    """Read the claims parameter (Core 5.5); unknown claims are ignored later."""
    stated = values.get("claims")
    if stated is None:
        return None

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError("duplicate")
        return dict(pairs)

    try:
        read = json.loads(stated, object_pairs_hook=unique, parse_constant=_no_constant)
        # What cannot be written again cannot be kept: half a character, NUL, nesting without end.
        if b"\\u0000" in orjson.dumps(read):
            read = None
    except (ValueError, TypeError, RecursionError):
        read = None
    parts = [read.get(where) for where in ("id_token", "userinfo")] if isinstance(read, dict) else [False]
    members = [m for part in parts if isinstance(part, dict) for m in part.values()]
    if not all(p is None or isinstance(p, dict) for p in parts) or not all(
        m is None or isinstance(m, dict) for m in members
    ):
        refuse("invalid_request", "claims is not an object as OpenID Connect Core 5.5 describes it.")
    assert isinstance(read, dict)
    return {where: read[where] for where in ("id_token", "userinfo") if read.get(where)}


def _requested(asked: dict[str, Any] | None, name: str) -> dict[str, Any]:
    part = (asked or {}).get("id_token") or {}
    return part.get(name) or {}


def strength(values: dict[str, str], asked: dict[str, Any] | None) -> str | None:
    """Return the least known strength that meets what was asked for; unknown values are ignored (decisions.md 6).

    Within `acr_values`, as within the claim's list, any one will do; where both are sent, both must be met: what an
    app calls essential is not undone by a weaker wish beside it (Core 5.5.1.1).
    """
    acr = _requested(asked, "acr")
    listed = acr.get("values") or ([acr["value"]] if "value" in acr else [])
    least = [
        min(known, key=rank)
        for stated in (values.get("acr_values", "").split(), listed if isinstance(listed, list) else [])
        if (known := [value for value in stated if value in ORDER])
    ]
    return max(least, key=rank) if least else None


def subject(
    hinted_in: Callable[[str], dict[str, Any]], values: dict[str, str], asked: dict[str, Any] | None, refuse: Any
) -> str | None:
    """Return who must be signed in; an ID token of ours names them even when it has expired (Core 3.1.2.1)."""
    wanted = _requested(asked, "sub").get("value")
    hint = values.get("id_token_hint")
    if hint is not None:
        try:
            hinted = hinted_in(hint)["sub"]
        except BadToken:
            refuse("invalid_request", "id_token_hint is not an ID token of ours.")
        if wanted is not None and wanted != hinted:
            refuse("invalid_request", "id_token_hint and claims name different people.")
        wanted = hinted
    return str(wanted) if wanted is not None else None


def read_hint(picture: Picture, issuer: str, now: datetime, hint: str) -> dict[str, Any]:
    """Return the claims of an ID token of ours, expired or not; raise BadToken."""
    return verify(
        hint,
        picture.keys.published,
        algorithms=ALGORITHMS,
        issuer=issuer,
        audience=None,
        now=now,
        leeway=picture.leeway,
        required=("sub", "aud", "exp", "sid"),
        expired_is_fine=True,
    )
