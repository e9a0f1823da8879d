"""What every decision shares: catalogue, channels, clocks, terms, partners. Valid for one policy epoch."""

from dataclasses import dataclass, replace

import orjson

from idp import configuration
from idp.accounts.assurance import ORDER, idle_limit
from idp.database.lane import Sql, Work
from idp.entitlements.dates import Dates
from idp.entitlements.verdict import Contact

_CATALOGUE = Sql(
    "SELECT key, name, sensitivity, acr, fresh, ial, non_participating, shared, purposes, needs FROM entitlement"
)
_SETTINGS = Sql("SELECT body FROM configuration WHERE id = 1")
_TERMS = Sql("SELECT kind, id, effective_at, version FROM terms_document")
PARTNERS = Sql("SELECT id, status, name, contact_name, contact_phone, contact_url FROM partner")


STATUSES = Sql(
    "SELECT subject_id, status, before, at FROM status_change "
    "WHERE what = 'status' AND subject_id IN (SELECT id FROM partner) ORDER BY at, id"
)


_CHANGES = Sql(
    "SELECT entitlement, before FROM catalogue_change WHERE applied_at IS NOT NULL AND applied_at > $1 "
    "ORDER BY applied_at DESC, version DESC"
)
"""What functions were before each change after a moment, the latest change first."""


@dataclass(frozen=True, slots=True)
class Function:
    """One row of the catalogue."""

    key: str
    name: str
    sensitivity: int
    acr: str
    fresh: bool
    ial: int
    non_participating: bool
    shared: str
    purposes: tuple[str, ...]
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PartnerFacts:
    """A partner's status and who to call."""

    status: str
    contact: Contact


@dataclass(frozen=True, slots=True)
class TermsVersion:
    """One version of one document; moments in microseconds."""

    kind: str
    document_id: str
    effective_at: int


@dataclass(frozen=True, slots=True)
class World:
    """Everything that is not one account's or one provider's."""

    epoch: int
    functions: dict[str, Function]
    partners: dict[str, PartnerFacts]
    terms: tuple[TermsVersion, ...]
    """Oldest first within a kind."""
    channels: frozenset[str]
    idle: tuple[int, ...]
    """Microseconds without the person after which a session of each strength ends, weakest first."""
    fresh: int
    """Seconds a second factor counts as fresh."""
    service_line: Contact
    affiliate: Contact


def load(epoch: int) -> Work:
    """Read what every decision shares; return it as valid for this epoch."""
    catalogue = yield _CATALOGUE, ()
    settings = yield _SETTINGS, ()
    terms = yield _TERMS, ()
    partners = yield PARTNERS, ()
    config = configuration.parse(settings[0][0] if settings else "{}")
    insurer = config.insurer
    return World(
        epoch=epoch,
        functions={
            row[0]: Function(
                key=row[0],
                name=row[1],
                sensitivity=row[2],
                acr=row[3],
                fresh=bool(row[4]),
                ial=row[5],
                non_participating=bool(row[6]),
                shared=row[7],
                purposes=tuple(orjson.loads(row[8])),
                needs=tuple(orjson.loads(row[9])),
            )
            for row in catalogue
        },
        partners={row[0]: PartnerFacts(row[1], Contact(row[3] or row[2], row[4], row[5])) for row in partners},
        terms=tuple(
            TermsVersion(kind, document_id, effective_at)
            for kind, document_id, effective_at, _ in sorted(terms, key=lambda t: (t[0], t[2], t[3]))
        ),
        channels=config.channels,
        idle=tuple(int(idle_limit(config.clocks, acr).total_seconds() * 1_000_000) for acr in ORDER),
        fresh=int(config.clocks.factor_fresh.total_seconds()),
        service_line=Contact(insurer.name, insurer.service_line),
        affiliate=Contact(insurer.affiliate_name, insurer.affiliate_phone),
    )


def as_of(known: World, dates: Dates) -> Work:
    """Return the world with each partner's status and each function's facts of that moment: for replays alone."""
    rows = yield STATUSES, ()
    changes = yield _CHANGES, (dates.at,)
    histories: dict[str, list[tuple[str, str | None, int]]] = {}
    for partner_id, status, before, since in rows:
        histories.setdefault(partner_id, []).append((status, before, since))
    then = {
        partner_id: replace(partner, status=dates.then(histories.get(partner_id, ()), partner.status))
        for partner_id, partner in known.partners.items()
    }
    functions = dict(known.functions)
    for key, before in changes:
        told = orjson.loads(before)
        lists = {name: tuple(told[name]) for name in ("purposes", "needs") if name in told}
        functions[key] = replace(functions[key], **(told | lists))
    return replace(known, partners=then, functions=functions)
