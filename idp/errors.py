"""Refusals: answers that say no, with a reason a person can act on.

Refused                    status, code, title, detail; then=(consequences)
├─ NotSignedIn   401       page: to the login; API: WWW-Authenticate
├─ StepUp        401       which acr or max_age is wanted
├─ NotEntitled   403       carries the decision's reason and who can help
├─ NotFound      404       also what a stranger sees of someone else's provider
├─ Conflict      409
├─ Invalid       422       field -> sentence
├─ TooMany       429       retry_after, seconds
├─ NotTakenIn    4xx       turned away before it was read: too large, compressed, not an address
├─ UpstreamRefused 502     which upstream, a safe sentence; the cause goes to the log
├─ Unavailable   503       the database or a worker pool cannot answer now; retry_after
└─ OAuthRefused  400/401   error, redirect_uri (only once proven), state

A refusal undoes the work and keeps only its consequences: the boundary rolls back, runs each
callable of `then` with a session, commits, and raises the refusal again. One that `keeps` commits the
work instead: a try is counted before the lock on its row is let go, or many at once would be looked at.
Anything that is not a Refused is a bug and becomes a 500 with a reference.
"""

from collections.abc import Callable, Mapping
from typing import Any

Consequence = Callable[[Any], object]
"""Called with a fresh session after the roll-back; what refusing means (a counter, an audit row)."""


class Refused(Exception):
    """An answer that says no."""

    status = 400
    code = "refused"
    title = "This was not done"
    advice: str = ""
    """What a person does next, on the page of the refusal."""
    page: str | None = None
    """Template the browser sees instead of errors/refused.html."""
    keeps = False
    """Whether what was written stays; it is the record of the refusal and nothing else."""

    def __init__(
        self,
        detail: str = "",
        *,
        code: str | None = None,
        then: tuple[Consequence, ...] = (),
        headers: Mapping[str, str] | None = None,
        page: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.code = code or self.code
        self.then = then
        self.headers = dict(headers or {})
        self.page = page or self.page
        self.context = dict(context or {})
        """What the page's template needs to be shown again (typed values, never secrets)."""


class NotSignedIn(Refused):
    """Nobody is signed in, or the session has ended."""

    status = 401
    code = "not_signed_in"
    title = "Sign in to go on"


class AccessTaken(NotSignedIn):
    """Somebody else ended this person's sign-in, with some access or all of it; the text says when and whom to ask."""

    title = "Your access changed"
    page = "errors/refused.html"


class StepUp(Refused):
    """The session is not strong or fresh enough (RFC 9470)."""

    status = 401
    code = "step_up_required"
    title = "Confirm it's you to go on"

    def __init__(self, detail: str = "", *, acr: str, max_age: int | None = None, **more: Any) -> None:
        super().__init__(detail, **more)
        self.acr = acr
        self.max_age = max_age
        """Seconds since the factor was used, or None where age does not matter."""


class NotEntitled(Refused):
    """The decision said no; `code` is its reason."""

    status = 403
    code = "entitlement_not_granted"
    title = "You don't have access to this"


class NotFound(Refused):
    """There is nothing here for this person; a stranger's id looks the same (security.md 62)."""

    status = 404
    code = "not_found"
    title = "There is nothing at this address"
    advice = (
        "The address may be mistyped, or it belongs to a practice you don't work for. Check it, or start again from "
        "your home page."
    )


class Conflict(Refused):
    """Somebody changed it first; the page shows the present state."""

    status = 409
    code = "conflict"
    title = "This changed meanwhile"
    advice = "Open the page again to see how it stands now, then decide."


class Invalid(Refused):
    """Something typed needs mending; `fields` maps each field to a sentence."""

    status = 422
    code = "invalid"
    title = "There is a problem"

    def __init__(self, detail: str = "", *, fields: Mapping[str, str] | None = None, **more: Any) -> None:
        self.fields = dict(fields or {})
        super().__init__(detail or next(iter(self.fields.values()), ""), **more)


class TooMany(Refused):
    """Too many tries; `retry_after` is in seconds."""

    status = 429
    code = "too_many_tries"
    title = "Too many tries"
    advice = "Wait a little, then try again. Nothing is lost."

    def __init__(self, detail: str = "", *, retry_after: int, **more: Any) -> None:
        super().__init__(detail, **more)
        self.retry_after = retry_after
        self.headers["Retry-After"] = str(retry_after)


class NotTakenIn(Refused):
    """What was sent is turned away before anybody reads it."""

    title = "We can't take in what was sent"
    advice = "Nothing was changed. Go back, and try again in another way."

    def __init__(self, status: int, detail: str, code: str, **more: Any) -> None:
        super().__init__(detail, code=code, **more)
        self.status = status


class UpstreamRefused(Refused):
    """An outside identity provider failed or its answer was not acceptable."""

    status = 502
    code = "upstream_refused"
    title = "Your organization's login did not work"

    def __init__(self, detail: str = "", *, upstream: str = "", cause: str = "", **more: Any) -> None:
        super().__init__(detail, **more)
        self.upstream = upstream
        self.cause = cause
        """For the log and the audit record, never for the page."""


class Unavailable(Refused):
    """We cannot answer just now; nothing was done."""

    status = 503
    code = "unavailable"
    title = "We can't answer just now"
    advice = "Nothing was changed. Try again in a moment."

    def __init__(self, detail: str = "", *, retry_after: int = 2, **more: Any) -> None:
        super().__init__(detail, **more)
        self.headers["Retry-After"] = str(retry_after)


class OAuthRefused(Refused):
    """An error of RFC 6749 or OpenID Connect; redirected only to a proven address."""

    title = "The app sent a request we can't accept"

    def __init__(
        self,
        error: str,
        detail: str = "",
        *,
        status: int = 400,
        redirect_uri: str | None = None,
        state: str | None = None,
        response_mode: str = "query",
        **more: Any,
    ) -> None:
        super().__init__(detail, code=error, **more)
        self.status = status
        self.redirect_uri = redirect_uri
        self.state = state
        self.response_mode = response_mode
