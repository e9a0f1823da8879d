"""RU-6: a biller looks up claims in an app: one of two purposes, then the data, a plain reason, or who handles it.

The app is the sample that portals start from, the service the real one; both on loopback.
"""

from collections.abc import Iterator

import httpx2
import pytest
from sqlalchemy import text

from idp.database import transaction
from idp.demo.people import BEN
from idp.signals import epochs
from samples.claims.app import create_app as claims_app
from tests.browser import Browser
from tests.kit.test_with_the_service import Real, real
from tests.loopback import serving

__all__ = ["real"]
REVIEW, PROSPECTIVE = "CLAIM_REDUCTION_REVIEW", "PROSPECTIVE_SERVICE"


@pytest.fixture
def ben(real: Real, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """Ben's browser, signed in to the Claims app of Lakeside Clinic."""
    places = real.places
    for name, value in {
        "APP_ISSUER": places.main,
        "APP_ORIGIN": places.claims,
        "APP_CLIENT_ID": "claims",
        "APP_CLIENT_SECRET_FILE": str(places.secrets / "claims.secret"),
    }.items():
        monkeypatch.setenv(name, value)
    with serving(claims_app(), places.ports[2]), httpx2.Client(trust_env=False) as site:
        browser = Browser({places.main: site, places.claims: site}, places.main)  # type: ignore[dict-item]
        browser.get(places.claims).submit("Continue", username=BEN.user_name).submit("Sign in", password=BEN.password)
        yield browser


def look_up(ben: Browser, real: Real, number: str, purpose: str = "") -> Browser:
    asked = f"?purpose={purpose}" if purpose else ""
    ben.get(f"{real.places.claims}/claims/{number}{asked}")
    if ben.path == "/sign-in/confirm":
        with transaction(real.database) as db:  # a time step is spent once; these tests live in one
            db.execute(text("UPDATE factor SET last_step = 0"))
        ben.submit("Confirm", code=BEN.code(real.places))
    return ben


def test_ru6_a_claim_is_shown_for_a_purpose_that_fits_and_else_a_plain_reason_or_who_handles_it(
    ben: Browser, real: Real
) -> None:
    assert "Look up a claim" in ben.text
    shown = look_up(ben, real, "CLM-1", REVIEW)
    assert shown.status == 200, shown.text
    assert "referral number is missing" in shown.text
    for number, purpose, sentence in (
        ("CLM-1", "", "Say why you need this claim"),
        ("CLM-1", "MARKETING", ""),
        ("CLM-2", REVIEW, ""),  # paid in full: nothing was denied or reduced
        ("CLM-3", REVIEW, ""),  # another practice's
    ):
        refused = look_up(ben, real, number, purpose)
        assert refused.status == 403, (number, purpose, refused.text)
        assert "Not shown" in refused.text
        assert sentence in refused.text
        for datum in ("J. Alvarez", "M. Okafor", "T. Lindqvist", "$"):
            assert datum not in refused.text, (number, purpose)
    routed = look_up(ben, real, "CLM-4", REVIEW)
    assert "Handled elsewhere" in routed.text
    assert "R. Castellano" not in routed.text
    assert "$" not in routed.text


def test_ru6_a_service_under_consideration_is_not_looked_into_once_the_licence_has_lapsed(
    ben: Browser, real: Real
) -> None:
    assert look_up(ben, real, "CLM-1", PROSPECTIVE).status == 200, ben.text
    with transaction(real.database) as db:
        db.execute(text("UPDATE credential SET ends_at = starts_at + 1 WHERE kind = 'licence'"))
        epochs.changed_policy(db)
    refused = look_up(ben, real, "CLM-1", PROSPECTIVE)
    assert refused.status == 403
    assert "J. Alvarez" not in refused.text
