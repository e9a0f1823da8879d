"""What a mail is made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Template:
    """One mail; `{name}` are facts, `{insurer}`, `{phone}` and `{link}` are always there."""

    subject: str
    text: str
