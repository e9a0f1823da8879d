"""What an answer to a question of security must be, before it is sent."""

from idp.cases import words
from idp.errors import Invalid

LONGEST = 1000
SEND, CHANGE = "send", "change"
"""What the button says that was pressed; with any other what was typed is shown once more, and nothing is sent."""


def checked(audience: str, choice: str, said: str) -> str:
    """Return the words of an answer as they are kept; raise Invalid without a choice or, where needed, words."""
    said = " ".join(said.split())
    fields = {}
    if choice not in words.ANSWERS[audience]:
        fields["answer"] = "Choose what fits best."
    if len(said) > LONGEST or (choice == "other" and len(said) < 3):
        fields["said"] = f"Say it in 3 to {LONGEST} characters."
    if fields:
        raise Invalid(fields=fields)
    return said
