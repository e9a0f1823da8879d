"""The organisations a registration names: up to fifty TINs, sealed as soon as they are read (T-08, domain.md 8)."""

import re

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import configuration
from idp.database import of
from idp.errors import Invalid
from idp.providers import identifiers
from idp.providers.tables import Provider
from idp.registration.tables import Registration

_BETWEEN = re.compile(r"[,;\n]+")


def read(db: Db, typed: str) -> list[str]:
    """Return the numbers typed, one a line or between commas, each once. Raises Invalid naming the wrong ones.

    Only the last four digits of a number are ever repeated.
    """
    most = configuration.current(db).registration.most_practices
    entries = [entry.strip() for entry in _BETWEEN.split(typed.replace("\r", "\n")) if entry.strip()]
    if not entries:
        raise Invalid(fields={"tins": "Enter the TIN of your practice, such as 12-3456789."})
    wrong = [number for number, entry in enumerate(entries, 1) if not identifiers.tin_is_valid(entry)]
    if wrong:
        which = "This TIN does" if len(entries) == 1 else f"Number {', '.join(map(str, wrong[:5]))} does"
        raise Invalid(fields={"tins": f"A TIN has nine digits, such as 12-3456789. {which} not."})
    found = list(dict.fromkeys(identifiers.normalise(entry) for entry in entries))
    if len(found) > most:
        raise Invalid(fields={"tins": f"Enter at most {most} TINs. There are {len(found)}."})
    return found


def unusual(numbers: list[str]) -> list[str]:
    """Return the numbers, masked, whose prefix is not in use: to warn of, never to refuse."""
    return [f"ending {number[-4:]}" for number in numbers if identifiers.tin_is_unusual(number)]


def keep(db: Db, registration: Registration, numbers: list[str]) -> None:
    """Seal the numbers into the registration."""
    registration.tins = of(db).ring.seal("tin", _place(registration), ",".join(numbers).encode())


def kept(db: Db, registration: Registration) -> list[str]:
    """Return the numbers of a registration."""
    if registration.tins is None:
        return []
    return of(db).ring.open("tin", _place(registration), registration.tins).decode().split(",")


def hash_of(db: Db, number: str) -> bytes:
    """Return the keyed hash by which an organisation is found."""
    return of(db).ring.keyed_hash("tin-hash", number)


def provider_of(db: Db, tin_hash: bytes) -> Provider | None:
    """Return the organisation with a TIN; one that has ended counts as none."""
    return db.exec(select(Provider).where(col(Provider.tin_hash) == tin_hash, col(Provider.status) != "ended")).first()


def _place(registration: Registration) -> str:
    return f"registration.tins:{registration.id}"
