"""How many registrations one network may begin in an hour: an office registers its people, a machine does not.

Counted before anything is written for the registration; the address is kept only as a keyed hash, with the hour, and
forgotten a day later.
"""

from datetime import timedelta
from ipaddress import IPv6Address, ip_address

from sqlmodel import Session as Db

from idp import clock, configuration
from idp.accounts import attempts
from idp.audit import origin
from idp.errors import TooMany

HOUR = timedelta(hours=1)


class TooManyStarted(TooMany):
    """This network began too many registrations within the hour."""

    code = "too_many_registrations"
    title = "Too many registrations from here"


def count(db: Db) -> None:
    """Count a registration that begins; raise TooManyStarted beyond `registration.starts_per_hour`."""
    address = origin.current().address
    rules = configuration.current(db)
    if address is None or not rules.passwords.throttle:
        return
    hour = clock.micros(clock.now()) // clock.micros(clock.EPOCH + HOUR)
    key = attempts.key_for(db, "register-start", account_id=None, name=f"{network(address)} {hour}")
    if not attempts.within(db, key, rules.registration.starts_per_hour):
        left = clock.EPOCH + (hour + 1) * HOUR - clock.now()
        raise TooManyStarted(
            "Too many registrations began from your network within the hour. Try again later, or ask an access manager "
            "of your practice to invite you.",
            retry_after=max(1, -(-left // timedelta(seconds=1))),
        )


def network(address: str) -> str:
    """Return whose address it is: an IPv4 address, or the /64 that one subscriber of IPv6 has to choose from."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(IPv6Address(int(found) >> 64 << 64))
    return str(found)
