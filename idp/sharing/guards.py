"""The guards that keep innocent patterns from counting; each can be turned off to show what it is worth."""

from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Guards:
    """Which guards stand."""

    pool: bool = True
    """Devices of three or more accounts count for nothing."""
    co_use: bool = True
    """Another's device counts only while that person is there and the account's own person has another place."""
    virtual: bool = True
    """Egress, VPN, carrier and teleporting addresses are not places."""
    forms: bool = True
    """Phones, tablets and remote desktops beside a desktop are one pair of hands."""
    warm_up: bool = True
    """No score before 14 days and 10 sign-ins (reports excepted)."""
    slow_habit: bool = True
    """A slow code counts only where the person is not often slow."""
    corroboration: bool = True
    """A case needs two kinds of evidence or one on many days, containment three; a report alone is a notice."""

    def without(self, name: str) -> "Guards":
        """Return these guards with one turned off. Raises `TypeError` for an unknown name."""
        return Guards(**{one: getattr(self, one) and one != name for one in self.__slots__} | {name: False})


ALL = Guards()
NAMES = tuple(Guards.__slots__)
