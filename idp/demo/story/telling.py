"""Print what happens: each request and its answer in a line, secrets shortened, and what was checked."""

import re
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_SECRET = re.compile(
    r"password|code$|_key$|secret|token|assertion|state|nonce|challenge|verifier|hint$|invitation$|^flow$"
)
_OPEN = frozenset({"token_type", "token_type_hint", "login_hint", "response_type", "code_challenge_method"})
_IN_PATH = re.compile(r"(/invitations/)[A-Za-z0-9_-]{20,}")


class StoryBroke(Exception):
    """Something did not go as it must; the text says what."""


class Teller:
    """Writes the story; counts what it checked."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self.checked = 0
        self.asked: list[str] = []
        """Method and path of every request told, in order."""

    def scene(self, title: str) -> None:
        """Begin a step."""
        self._say(f"\n{title}")

    def note(self, text: str) -> None:
        """Say what somebody does, in words."""
        self._say(f"  - {text}")

    def sent(self, method: str, url: str, fields: Mapping[str, object] | None, status: int, to: str | None) -> None:
        """Tell a request and its answer."""
        self.asked.append(f"{method} {urlsplit(url).path}")
        said = f" {shown_fields(fields)}" if fields else ""
        led = f" -> {shown(to)}" if to else ""
        self._say(f"      {method} {shown(url)}{said}")
        self._say(f"        {status}{led}")

    def answered(self, text: str) -> None:
        """Tell what an answer held."""
        self._say(f"        {text}")

    def check(self, holds: object, sentence: str) -> None:
        """Tell that something holds; raise StoryBroke when it does not."""
        if not holds:
            raise StoryBroke(f"This must hold and does not: {sentence}")
        self.checked += 1
        self._say(f"    ok: {sentence}")


def short(value: object) -> str:
    """Return the first letters of a secret."""
    text = str(value)
    return text if len(text) <= 6 else f"{text[:4]}..."


def shown(url: str) -> str:
    """Return an address with the secrets in its query shortened."""
    parts = urlsplit(url)
    pairs = [(name, _safe(name, value)) for name, value in parse_qsl(parts.query, keep_blank_values=True)]
    path = _IN_PATH.sub(r"\1...", parts.path)
    return urlunsplit(parts._replace(path=path, query=urlencode(pairs, safe=":/.")))


def shown_fields(fields: Mapping[str, object]) -> str:
    """Return the fields of a form, secrets left out."""
    return "{" + ", ".join(f"{name}: {_safe(name, str(value))}" for name, value in fields.items()) + "}"


def _safe(name: str, value: str) -> str:
    if name in _OPEN or not value or not _SECRET.search(name):
        return value
    return "..." if "password" in name or name == "code" else short(value)
