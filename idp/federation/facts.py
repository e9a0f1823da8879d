"""What an organization says of a person: words to show, never to match by, and never trusted to be plain text."""

from collections.abc import Mapping
from typing import Any

NAME, EMAIL = 120, 254
"""Characters that are kept of a name, and that an e-mail address may have (RFC 5321 4.5.3.1)."""


def plain(said: Mapping[str, Any]) -> dict[str, str | bool]:
    """Return `name`, `email` and `email_verified` where they are fit to be shown; leave the rest out.

    A name loses what cannot be printed (controls, marks that turn the direction of text) and is cut; an address
    is taken whole or not at all, for a part of one is another address.
    """
    kept: dict[str, str | bool] = {}
    name = said.get("name")
    if isinstance(name, str):
        shown = " ".join("".join(c if c.isprintable() else " " for c in name[: 4 * NAME]).split())[:NAME].strip()
        if shown:
            kept["name"] = shown
    email = said.get("email")
    if isinstance(email, str) and len(email) <= EMAIL and email.isprintable() and " " not in email:
        local, at, domain = email.rpartition("@")
        if at and local and domain:
            kept["email"] = email
            if isinstance(said.get("email_verified"), bool):
                kept["email_verified"] = said["email_verified"]
    return kept
