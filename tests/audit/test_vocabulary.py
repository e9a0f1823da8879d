"""The closed vocabulary covers what domain.md 11 wants recorded, name by name, and every name is written somewhere."""

from functools import cache
from pathlib import Path

import pytest

import idp
from idp.audit.events import VOCABULARY

COVERED = {
    "sign-in ok": ("accounts.login.succeeded",),
    "sign-in failed": ("accounts.login.refused",),
    "sign-in step-up": ("accounts.factor.confirmed", "accounts.factor.refused"),
    "login linked / unlinked / refused": (
        "accounts.login.linked", "accounts.login.unlinked", "accounts.login.refused",
    ),
    "outside facts received": ("accounts.facts.received",),
    "factor added / removed": ("accounts.factor.added", "accounts.factor.removed"),
    "recovery": ("accounts.recovery.begun", "accounts.recovery.proved", "accounts.recovery.done"),
    "session ended": ("accounts.session.ended",),
    "terms shown / accepted": ("accounts.terms.shown", "accounts.terms.accepted"),
    "attestation": ("accounts.attestation.made",),
    "request submitted / decided": ("wam.request.submitted", "wam.request.approved", "wam.request.denied"),
    "grant added / changed / suspended / ended": (
        "entitlements.grant.added", "entitlements.grant.replaced", "entitlements.grant.suspended",
        "entitlements.grant.ended",
    ),
    "bundle changed": ("entitlements.bundle.changed", "entitlements.bundle.published"),
    "WAM added / removed / verified": (
        "wam.appointment.made", "wam.appointment.ended", "registration.claim.confirmed",
    ),
    "delegation requested and approved / ended": ("wam.delegation.made", "wam.delegation.ended"),
    "recertification opened / answered / missed": (
        "wam.review.opened", "wam.review.answered", "wam.review.missed",
    ),
    "eligibility ceased": ("accounts.account.ceased",),
    "decision permit / deny / routed / step-up": ("entitlements.decision.made",),
    "token issued / refreshed / revoked / introspected": (
        "oauth.token.issued", "oauth.token.refreshed", "oauth.token.revoked", "oauth.token.introspected",
    ),
    "client registered / changed": ("oauth.client.registered", "oauth.client.changed"),
    "emergency access used / reviewed": ("entitlements.emergency.started", "entitlements.emergency.reviewed"),
    "case opened / viewed / decided / actioned / closed": (
        "security.case.opened", "security.case.viewed", "security.case.decided", "security.case.acted",
        "security.case.closed",
    ),
    "notice sent / failed": ("notices.mail.sent", "notices.mail.failed"),
    "partner created / activated / suspended": (
        "partners.partner.created", "partners.partner.activated", "partners.partner.suspended",
    ),
    "audit searched / exported": ("audit.log.searched", "audit.log.exported"),
    "policy or setting changed": ("service.settings.changed", "entitlements.catalogue.changed"),
}  # fmt: skip
"""What domain.md 11 names, and what says it."""
NOT_YET = (
    "signal raised",
    "partner classified / standard evidenced / waived / reviewed",
    "filing received / rejected / acknowledged",
)
"""What domain.md 11 names and nothing does yet: the detector's signals, the partner programme, TPMO filings."""


@cache
def _sources() -> str:
    """Return the service's own text, but for the vocabulary."""
    folder = Path(idp.__file__).parent
    return "\n".join(path.read_text() for path in folder.rglob("*.py") if path.name != "events.py")


def test_domain_11_every_event_wanted_has_a_name() -> None:
    missing = {name for names in COVERED.values() for name in names} - set(VOCABULARY)
    assert not missing
    assert not [name for name in VOCABULARY if name.startswith(("partners.standard.", "partners.filing."))], NOT_YET


@pytest.mark.parametrize("wanted", COVERED)
def test_domain_11_every_event_wanted_is_written_by_the_service(wanted: str) -> None:
    """By its name, or by one that is put together from its beginning."""
    for name in COVERED[wanted]:
        thing = name.rpartition(".")[0]
        assert f'"{name}"' in _sources() or f'f"{thing}.{{' in _sources() or f'"{thing}."' in _sources(), name


def test_domain_11_no_name_stands_there_that_nothing_writes() -> None:
    """Reading the feed is told on the proof page (who heard when), not recorded a thousand times a minute."""
    written = _sources()
    unused = {
        name
        for name in VOCABULARY
        if f'"{name}"' not in written
        and f'f"{name.rpartition(".")[0]}.{{' not in written
        and f'"{name.rpartition(".")[0]}."' not in written
    }
    assert not unused
