"""Which new passwords are accepted, and the reason when one is not (security.md 1 to 3).

Length and a list of common passwords; no composition rules, no periodic change, no hints.
"""

import re
from collections.abc import Iterable
from functools import cache

from idp.accounts.passwords import LONGEST, normalised
from idp.errors import Invalid

ALONE, WITH_FACTOR = 15, 8
_OURS = ("provider", "portal", "password", "passphrase", "account", "welcome", "access", "login", "signin")
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "zyxwvutsrqponmlkjihgfedcba",
    "01234567890123456789",
    "98765432109876543210",
    "qwertyuiopasdfghjklzxcvbnm",
)
_EDGES = re.compile(r"^[\W\d_]+|[\W\d_]+$")


@cache
def _common() -> frozenset[str]:
    """Return zxcvbn's 30,000 most used passwords; 11,611 of them are long enough to be chosen."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    return frozenset(FREQUENCY_LISTS["passwords"])


def check(password: str, *, with_factor: bool, about: Iterable[str] = (), field: str = "password") -> None:
    """Accept a new password or raise Invalid with the reason.

    `with_factor`: the account already has a second step, so 8 characters are enough instead of 15.
    `about`: words a stranger would try first (user name, own name, insurer's name).
    """
    reason = _reason(normalised(password), WITH_FACTOR if with_factor else ALONE, about)
    if reason:
        raise Invalid(fields={field: reason})


def _reason(password: str, least: int, about: Iterable[str]) -> str | None:
    if len(password) < least:
        return f"Use {least} characters or more. A few words you can remember work well."
    if len(password) > LONGEST:
        return f"Use {LONGEST} characters or fewer."
    if "\x00" in password:
        return "This holds a character that can't be typed."
    text = password.casefold()
    if len(set(text)) < 4:
        return "Use more different characters. This repeats the same few."
    if _unit(text) != text and (len(_unit(text)) < WITH_FACTOR or _listed(_unit(text))):
        return "This repeats a short piece. Choose something longer that does not repeat."
    if any(text in run * 4 for run in _RUNS):
        return "This is a run of neighboring keys or letters. Choose something else."
    if _listed(text):
        return "This is on a list of common passwords. Choose something else."
    return _about(text, about)


def _listed(text: str) -> bool:
    return text in _common() or _EDGES.sub("", _EDGES.sub("", text)) in _common()


def _unit(text: str) -> str:
    """Return the piece that a text repeats, or the text itself."""
    at = (text + text).find(text, 1)
    return text[:at]


def _about(text: str, about: Iterable[str]) -> str | None:
    personal = {word for name in about for word in re.split(r"[\W_]+", normalised(name).casefold()) if len(word) >= 4}
    rest = text
    for word in sorted({*personal, *_OURS}, key=len, reverse=True):
        rest = rest.replace(word, "")
    if rest == text or len(re.sub(r"[\W\d_]", "", rest)) >= WITH_FACTOR:
        return None
    if any(word in text for word in personal):
        return "This is mostly your name, your user name or our name. Choose something else."
    return "This is mostly words that everyone would try here. Choose something else."
