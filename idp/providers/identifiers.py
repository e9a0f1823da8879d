"""Check and normalise the identifiers of domain.md 8: NPI, TIN, DEA registration."""

import re

_NPI = re.compile(r"[12]\d{9}")
_DEA = re.compile(r"[A-Z][A-Z9]\d{7}")
_UNUSED_PREFIXES = frozenset(
    ("00", "07", "08", "09", "17", "18", "19", "28", "29", "49", "69", "70", "78", "79", "89", "96", "97")
)


def normalise(typed: str) -> str:
    """Strip spaces and hyphens and upper-case letters, as every comparison expects."""
    return re.sub(r"[\s-]", "", typed).upper()


def luhn_sum(digits: str) -> int:
    """Return the Luhn sum of a number, its last digit being the check digit."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total


def npi_is_valid(typed: str) -> bool:
    """Say whether a national provider number has the right form and check digit.

    Proves neither that it exists nor that it is active.
    """
    npi = normalise(typed)
    return npi.isascii() and bool(_NPI.fullmatch(npi)) and luhn_sum("80840" + npi) % 10 == 0


def tin_is_valid(typed: str) -> bool:
    """Say whether a taxpayer number has nine digits; it has no check digit."""
    tin = normalise(typed)
    return len(tin) == 9 and tin.isascii() and tin.isdigit()


def tin_is_unusual(typed: str) -> bool:
    """Say whether a taxpayer number's prefix is not in use: warn, do not refuse."""
    return normalise(typed)[:2] in _UNUSED_PREFIXES


def dea_is_valid(typed: str) -> bool:
    """Say whether a DEA registration has the right form and check digit; a hyphenated suffix is allowed."""
    head = typed.strip().split("-", 1)[0]
    number = normalise(head)
    if not number.isascii() or not _DEA.fullmatch(number):
        return False
    d = [int(digit) for digit in number[2:]]
    return (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]
