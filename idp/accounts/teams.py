"""Names that belong to a desk or a team and so to nobody: refused as a person's name, user name or address (T-19)."""

_WORDS = frozenset(
    {"admin", "administrator", "all", "billing", "clinic", "desk", "everyone", "frontdesk", "generic", "guest"}
    | {"info", "mail", "nurse", "nurses", "office", "portal", "reception", "root", "scheduling", "shared", "staff"}
    | {"support", "team", "temp", "test", "user", "users", "wam", "contact", "hello", "accounts", "claims", "front"}
    | {"department", "dept", "group", "login", "manager", "medical", "our", "practice", "the", "anyone", "noreply"}
)
_NOISE = {ord(c): " " for c in "._-+0123456789#/"}


def names_a_team(text: str) -> bool:
    """Say whether every word of a name is one of a desk or a team ("Front Desk 2"); "Paul Nurse" is a person."""
    words = text.casefold().translate(_NOISE).split()
    return not words or all(word in _WORDS for word in words)


def mailbox_of_a_team(address: str) -> bool:
    """Say whether an address is a shared mailbox by its name ("billing@", "front.desk2@")."""
    return names_a_team(address.partition("@")[0])
