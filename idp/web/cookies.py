"""Our three cookies: session, flow (this browser, before anybody is known) and device."""

import re

from fastapi import Request, Response

from idp.settings import Settings

SESSION, FLOW, DEVICE = "session", "flow", "device"
_SECRET = re.compile(r"[A-Za-z0-9_-]+")
_YEAR = 365 * 24 * 3600


def read(request: Request, settings: Settings, name: str) -> str | None:
    """Return a cookie's value; None when missing or implausibly long."""
    value = request.cookies.get(settings.cookie_prefix + name)
    return value if value and len(value) <= 256 else None


def put(response: Response, settings: Settings, name: str, value: str) -> None:
    """Set a cookie: HttpOnly, SameSite=Lax, Secure except in development; only `device` outlives the browser.

    Our secrets are base64url, which a cookie may hold as it is (RFC 6265 4.1.1); ValueError for anything else.
    """
    if not _SECRET.fullmatch(value):
        raise ValueError("a cookie of ours holds a secret of ours")
    age = f"; Max-Age={_YEAR}" if name == DEVICE else ""
    secure = "" if settings.development else "; Secure"
    response.headers.append(
        "set-cookie", f"{settings.cookie_prefix}{name}={value}; HttpOnly{age}; Path=/; SameSite=lax{secure}"
    )


def drop(response: Response, settings: Settings, name: str) -> None:
    """Remove a cookie."""
    response.delete_cookie(
        settings.cookie_prefix + name, path="/", secure=not settings.development, httponly=True, samesite="lax"
    )
