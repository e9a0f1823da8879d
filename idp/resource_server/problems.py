"""What can go wrong in the kit; all of it means "do not go on"."""


class KitProblem(Exception):
    """Root of what the kit raises."""


class TokenRefused(KitProblem):
    """A token is not acceptable; `reason` says why, for the app's log and never for a page."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class IssuerUnavailable(KitProblem):
    """The identity service did not answer, or its answer was not usable; nothing may be assumed."""


class SignInFailed(KitProblem):
    """A sign-in did not come to an end; `code` is the OAuth error or our own word, `text` is for the person."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class SignedOut(KitProblem):
    """The person's tokens no longer hold and cannot be renewed; send them to sign in again."""
