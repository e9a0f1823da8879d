"""What every decision shares: catalogue, channels, clocks, terms, partners. Valid for one policy epoch."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from idp import configuration
from idp.accounts.assurance import ORDER, idle_limit
from idp.configuration import Configuration
from idp.database.lane import Sql, Work
from idp.entitlements.dates import FOREVER, Dates
from idp.entitlements.histories import Histories
from idp.entitlements.verdict import Contact

CATALOGUE = Sql(
    "SELECT key, name, sensitivity, acr, fresh, ial, non_participating, shared, purposes, needs FROM entitlement"
)
_SETTINGS = Sql("SELECT body FROM configuration WHERE id = 1")
_TERMS = Sql("SELECT kind, id, effective_at, version FROM terms_document")
PARTNERS = Sql("SELECT id, status, name, contact_name, contact_phone, contact_url FROM partner")
HISTORY = Sql(
    "SELECT subject_id, what, status, before, at FROM status_change WHERE subject_id = 'settings' "
    "OR subject_id IN (SELECT id FROM partner) OR subject_id IN (SELECT key FROM entitlement) ORDER BY at, id"
)
"""What the settings, partners and functions were on other days: read for replays alone."""


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
    name: str
    contact_name: str
    contact_phone: str
    contact_url: str

    @property
    def contact(self) -> Contact:
        """Return whom to call: the named person or desk, else the partner itself."""
        return Contact(self.contact_name or self.name, self.contact_phone, self.contact_url)


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
    _wanted: list[tuple[int, int, tuple[tuple[str, ...], ...]]] = field(default_factory=list, compare=False)

    def wanted_terms(self, dates: Dates) -> tuple[tuple[str, ...], ...]:
        """Return, for each kind of terms in effect at the moment, the documents of which one must be accepted."""
        for since, until, wanted in self._wanted:
            if since <= dates.at < until:
                dates.turns(until)
                return wanted
        current: dict[str, int] = {}
        until = FOREVER
        for version in self.terms:
            if version.effective_at <= dates.at:
                current[version.kind] = version.effective_at
            else:
                until = min(until, version.effective_at)
        wanted = tuple(
            tuple(one.document_id for one in self.terms if one.kind == kind and one.effective_at >= since)
            for kind, since in current.items()
        )
        self._wanted[:] = [(dates.at, until, wanted)]
        dates.turns(until)
        return wanted


def load(epoch: int) -> Work:
    """Read what every decision shares; return it as valid for this epoch."""
    catalogue = yield CATALOGUE, ()
    settings = yield _SETTINGS, ()
    terms = yield _TERMS, ()
    partners = yield PARTNERS, ()
    config = configuration.parse(settings[0][0] if settings else "{}")
    return World(
        epoch=epoch,
        functions={row[0]: _function([*row[:-2], *(orjson.loads(one) for one in row[-2:])]) for row in catalogue},
        partners={row[0]: PartnerFacts(*row[1:]) for row in partners},
        terms=tuple(
            TermsVersion(kind, document_id, effective_at)
            for kind, document_id, effective_at, _ in sorted(terms, key=lambda t: (t[0], t[2], t[3]))
        ),
        **_settings(config),
    )


def _settings(config: Configuration) -> dict[str, Any]:
    """Return the part of the world that the settings say."""
    insurer = config.insurer
    return {
        "channels": config.channels,
        "idle": tuple(int(idle_limit(config.clocks, acr).total_seconds() * 1_000_000) for acr in ORDER),
        "fresh": int(config.clocks.factor_fresh.total_seconds()),
        "service_line": Contact(insurer.name, insurer.service_line),
        "affiliate": Contact(insurer.affiliate_name, insurer.affiliate_phone),
    }


def as_of(known: World, dates: Dates) -> Work:
    """Return the world with the partners, functions and settings of that moment: for replays alone."""
    rows = yield HISTORY, ()
    then = Histories(rows, dates)
    functions = {key: _function_then(function, then) for key, function in known.functions.items()}
    partners = {
        partner_id: PartnerFacts(
            then.value(partner_id, "status", partner.status),
            *(then.value(partner_id, what, getattr(partner, what)) for what in _CALLED),
        )
        for partner_id, partner in known.partners.items()
    }
    body = then.row(configuration.SUBJECT, "settings")
    settings = {} if body is None else _settings(configuration.parse(body[0]))
    return replace(known, functions=functions, partners=partners, **settings)


_CALLED = ("name", "contact_name", "contact_phone", "contact_url")


def _function_then(function: Function, then: Histories) -> Function:
    row = then.row(function.key, "function")
    return function if row is None else _function(row)


def _function(row: Sequence[Any]) -> Function:
    key, name, sensitivity, acr, fresh, ial, non_participating, shared, purposes, needs = row
    shown = (key, name, sensitivity, acr, bool(fresh), ial, bool(non_participating), shared)
    return Function(*shown, purposes=tuple(purposes), needs=tuple(needs))
