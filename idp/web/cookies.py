"""Our three cookies: session, flow (this browser, before anybody is known) and device."""

from fastapi import Request, Response

from idp.settings import Settings

SESSION, FLOW, DEVICE = "session", "flow", "device"
_YEAR = 365 * 24 * 3600


def read(request: Request, settings: Settings, name: str) -> str | None:
    """Return a cookie's value; None when missing or implausibly long."""
    value = request.cookies.get(settings.cookie_prefix + name)
    return value if value and len(value) <= 256 else None


def put(response: Response, settings: Settings, name: str, value: str) -> None:
    """Set a cookie: HttpOnly, SameSite=Lax, Secure except in development; only `device` outlives the browser."""
    response.set_cookie(
        settings.cookie_prefix + name,
        value,
        max_age=_YEAR if name == DEVICE else None,
        path="/",
        secure=not settings.development,
        httponly=True,
        samesite="lax",
    )


def drop(response: Response, settings: Settings, name: str) -> None:
    """Remove a cookie."""
    response.delete_cookie(
        settings.cookie_prefix + name, path="/", secure=not settings.development, httponly=True, samesite="lax"
    )
