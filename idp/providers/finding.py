"""Find an organisation by what people have in hand: a TIN, an NPI or a name."""

from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from idp.errors import Invalid
from idp.providers import identifiers, organisations
from idp.providers.registry_tables import ProviderNpi
from idp.providers.tables import Practitioner, PractitionerMembership, Provider

MOST = 20


@dataclass(frozen=True, slots=True)
class Found:
    """Organisations by name, at most MOST, and what was understood: `tin`, `npi` or `name`."""

    by: str
    providers: list[Provider]
    more: bool


def find(db: Session, words: str) -> Found:
    """Look an organisation up. Nine digits are a TIN, ten an NPI (its own or one of its practitioners'), else a name.

    A TIN is found by its keyed hash, whole; no part of one finds anything. Raises Invalid for nothing typed, a
    name of one letter, or an NPI with a wrong check digit.
    """
    typed = " ".join(words.split())
    digits = identifiers.normalise(typed)
    if digits.isascii() and digits.isdigit() and len(digits) in (9, 10):
        if len(digits) == 9:
            known = organisations.by_tin(db, digits)
            return Found("tin", [known] if known else [], more=False)
        return Found("npi", _by_npi(db, digits), more=False)
    if len(typed) < 2:
        raise Invalid(fields={"words": "Enter a nine-digit TIN, a ten-digit NPI, or at least two letters of a name."})
    like = typed.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = db.exec(
        select(Provider)
        .where(func.lower(col(Provider.name)).like(f"%{like}%", escape="\\"))
        .order_by(col(Provider.name), col(Provider.id))
        .limit(MOST + 1)
    ).all()
    return Found("name", list(rows[:MOST]), more=len(rows) > MOST)


def _by_npi(db: Session, npi: str) -> list[Provider]:
    if not identifiers.npi_is_valid(npi):
        raise Invalid(fields={"words": f"Enter a 10-digit NPI. {npi} has a wrong check digit."})
    own = select(ProviderNpi.provider_id).where(col(ProviderNpi.npi) == npi)
    theirs = (
        select(PractitionerMembership.provider_id)
        .join(Practitioner, col(Practitioner.id) == col(PractitionerMembership.practitioner_id))
        .where(col(Practitioner.npi) == npi)
    )
    found = db.exec(select(Provider).where(col(Provider.id).in_(own.union(theirs))).order_by(col(Provider.name)))
    return list(found.all())[:MOST]
