"""The kit against the service itself, over HTTP on loopback: nothing here is a stand-in (D-2 to D-5).

One world for the module, served in a thread; each test gets an app of its own.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import httpx2
import pytest
from sqlalchemy import text

from bench.revoking import BOUND, Place, measure
from idp import clock
from idp.accounts.assurance import AAL2
from idp.apply.run import apply_file
from idp.audit import checkpoint, origin
from idp.database import Database, transaction
from idp.demo import filling
from idp.demo.places import Places, free
from idp.entitlements import catalog, grants
from idp.oauth import keys
from idp.resource_server.decisions import Contact, Deny, Permit, Routed, StepUp
from idp.resource_server.portal import Portal
from idp.resource_server.problems import IssuerUnavailable, SignedOut, TokenRefused
from idp.resource_server.revocations import Standing
from tests import engines
from tests.browser import Browser
from tests.kit.live import App, Real


@pytest.fixture(scope="module")
def real(_sqlite: engines.SqliteEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    home = tmp_path_factory.mktemp("real")
    places = Places(home / "demo", free())
    filling.prepare(places)
    with _sqlite.fresh(home) as url:
        settings = engines.settings_for(url, home, issuer=places.main, port=places.ports[0])
        checkpoint.make_key(settings.audit_key_file)
        database = Database(settings)
        with origin.acting_as("operator"), transaction(database) as db:
            catalog.load_default(db)
        keys.ensure(database)
        apply_file(database, places.secrets / "meridian.yaml")
        with transaction(database) as db:
            for entitlement in ("claim.status.view", "era.enroll"):
                grants.grant(
                    db,
                    account_id="acc_ben",
                    provider_id="prv_lakeside",
                    line="medical",
                    entitlement=entitlement,
                    by="operator",
                    reason="works at the desk",
                )
        with httpx2.Client(trust_env=False) as site:
            made = Real(places, database, Browser({places.main: site}, places.main), settings)  # type: ignore[dict-item]
            made.start()
            yield made
            made.stop()
        database.dispose()


@pytest.fixture
def app(real: Real) -> Iterator[App]:
    made = App(real)
    yield made
    made.close()


def test_d3_tokens_of_the_service_pass_the_verifier_and_only_for_this_app(app: App, real: Real) -> None:
    tokens = app.sign_in()
    access = tokens.access
    assert (access.subject, access.provider_id, access.client_id) == ("acc_ben", "prv_lakeside", "claims")
    assert access.family_id is not None
    assert access.family_id.startswith("fam_")
    assert tokens.person["name"] == "Ben Ortiz"
    other = replace(app.portal.settings, resource=real.places.hsconnect)

    async def made() -> Portal:
        return Portal(other)

    elsewhere = app.run(made())
    with pytest.raises(TokenRefused):
        app.run(elsewhere.tokens.access_token(access.raw))
    with pytest.raises(TokenRefused):
        app.run(app.portal.tokens.access_token(tokens.id_token))
    head, body, _ = access.raw.split(".")
    with pytest.raises(TokenRefused):
        app.run(app.portal.tokens.access_token(f"{head}.{body}.{'A' * 86}"))
    service = app.run(app.portal.service_token.get())
    with pytest.raises(TokenRefused):
        app.run(app.portal.tokens.access_token(service))
    app.run(elsewhere.http.aclose())


def test_d4_the_service_answers_permit_deny_and_routed_as_the_kit_reads_them(app: App) -> None:
    tokens = app.sign_in()
    permit = app.ask(tokens)
    assert isinstance(permit, Permit)
    assert all(name.startswith("grt_") for name in permit.because)
    assert permit.because
    no = app.ask(tokens, "idcard.view")
    assert isinstance(no, Deny)
    assert no.reason == "entitlement_not_granted"
    assert "Lakeside Clinic" in no.sentence
    assert (no.help_url or "").startswith(app.portal.settings.issuer)
    other = app.ask(tokens, billing_provider="prv_harbor")
    assert isinstance(other, Deny)
    routed = app.ask(tokens, shared_account="SA-4400")
    assert isinstance(routed, Routed)
    assert routed.contact == Contact(
        "Northwind Benefit Administrators", "1-800-555-0177", "https://northwind.example/providers"
    )


def test_d4_a_step_up_of_the_service_is_met_by_signing_in_with_what_it_asks_for(app: App, real: Real) -> None:
    real.browser.cookies.clear()
    weak = app.sign_in(acr_values=None)
    wish = app.ask(weak)
    assert isinstance(wish, StepUp)
    assert (wish.acr_values, wish.max_age) == (AAL2, None)
    tokens = app.sign_in(wish.acr_values, acting_for="prv_lakeside")
    assert isinstance(app.ask(tokens, "era.enroll"), Permit)
    long_ago = clock.micros(clock.now()) - 20 * 60 * 1_000_000
    real.run(
        "UPDATE session SET factor_time = :t, auth_time = :t WHERE id = :s", t=long_ago, s=tokens.access.session_id
    )
    wish = app.ask(tokens, "era.enroll")
    assert isinstance(wish, StepUp)
    assert wish.max_age == 900
    assert isinstance(app.ask(tokens), Permit), "what asks for no fresh proof goes on"
    real.browser.trail.clear()
    again = app.sign_in(wish.acr_values, max_age=wish.max_age, acting_for="prv_lakeside")
    assert "POST /sign-in/confirm" in real.browser.trail
    assert isinstance(app.ask(again, "era.enroll"), Permit)


def test_security_92_a_grant_taken_away_is_heard_and_refuses_the_token_at_the_next_poll(app: App, real: Real) -> None:
    tokens = app.sign_in()
    assert app.standing(tokens) is Standing.LIVE
    with transaction(real.database) as db:
        made = grants.grant(
            db,
            account_id="acc_ben",
            provider_id="prv_lakeside",
            line="medical",
            entitlement="claim.submit",
            by="operator",
            reason="for a day",
        )
    assert app.standing(tokens) is Standing.LIVE, "what is given takes nothing away"
    with transaction(real.database) as db:
        grants.end(db, made, by="operator", reason="the day is over")
    assert app.standing(tokens) is Standing.REVOKED
    assert not app.run(app.portal.introspection.active(tokens.access.raw))
    with pytest.raises(SignedOut):
        app.run(app.portal.sign_in.refresh(tokens))
    assert app.standing(app.sign_in()) is Standing.LIVE


def test_security_44_a_family_ended_by_reuse_of_its_refresh_token_is_refused_here_at_the_next_poll(app: App) -> None:
    first, other = app.sign_in(), app.sign_in()
    second = app.run(app.portal.sign_in.refresh(first))
    assert app.standing(second) is Standing.LIVE
    with pytest.raises(SignedOut):  # a thief, or the app, spends the first one again
        app.run(app.portal.sign_in.refresh(first))
    assert app.standing(second) is Standing.REVOKED
    assert app.standing(first) is Standing.REVOKED
    assert app.standing(other) is Standing.LIVE, "the same session's other sign-in is not touched"


def test_security_44_signing_out_ends_the_family_for_every_app_that_listens(app: App, real: Real) -> None:
    tokens, listener = app.sign_in(), App(real)
    assert listener.standing(tokens) is Standing.LIVE
    where = app.run(app.portal.sign_in.sign_out(tokens))
    assert where.startswith(f"{real.places.main}/oauth/logout?")
    assert listener.standing(tokens) is Standing.REVOKED
    listener.close()


def test_security_20_a_session_ended_at_the_service_ends_the_apps_tokens(app: App, real: Real) -> None:
    tokens = app.sign_in()
    assert app.standing(tokens) is Standing.LIVE
    real.browser.stop_at = None
    real.browser.get("/account").submit("Sign out")
    assert app.standing(tokens) is Standing.REVOKED
    answer = app.ask(tokens)
    assert isinstance(answer, StepUp), "without a live session nobody is permitted anything"


def test_security_90_keys_rotate_under_load_without_a_failed_verification(app: App, real: Real) -> None:
    """Verify fresh tokens without pause while the keys are rotated; tokens of both keys pass."""
    tokens = app.sign_in()
    stop = threading.Event()
    kids: set[str] = set()
    failures: list[Exception] = []

    def work() -> None:
        with asyncio.Runner() as loop:

            async def each() -> None:
                portal = Portal(app.portal.settings)
                held = tokens
                while not stop.is_set():
                    try:
                        held = await portal.sign_in.refresh(held)
                        await portal.tokens.access_token(held.access.raw)
                        kids.add(held.access.raw.partition(".")[0])
                    except Exception as problem:
                        failures.append(problem)
                        return
                await portal.http.aclose()

            loop.run(each())

    thread = threading.Thread(target=work)
    thread.start()
    deadline = time.monotonic() + 10
    while not kids and time.monotonic() < deadline:
        time.sleep(0.01)
    with transaction(real.database) as db:
        day = clock.micros(clock.now()) - 3 * 86_400 * 1_000_000
        db.execute(text("UPDATE signing_key SET created_at = :t WHERE state = 'next'"), {"t": day})
        keys.rotate(db)
    while len(kids) < 2 and not failures and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    thread.join(10)
    assert failures == []
    assert len(kids) == 2, "tokens of the old key and of the new one were verified"
    assert app.run(app.portal.tokens.access_token(tokens.access.raw)).subject == "acc_ben"


def test_security_89_with_the_service_away_known_tokens_verify_and_everything_else_is_a_no(
    app: App, real: Real
) -> None:
    tokens = app.sign_in()
    assert app.standing(tokens) is Standing.LIVE
    assert isinstance(app.ask(tokens), Permit)
    real.stop()
    assert app.run(app.portal.tokens.access_token(tokens.access.raw)).subject == "acc_ben"
    assert isinstance(app.ask(tokens), Deny)
    with pytest.raises(IssuerUnavailable):
        app.run(app.portal.feed.poll())
    assert app.run(app.portal.introspection.active(tokens.access.raw)) is False
    with pytest.raises(IssuerUnavailable):
        app.run(app.portal.sign_in.refresh(tokens))
    real.start()
    assert isinstance(app.ask(tokens), Permit), "it recovers by itself"
    assert app.standing(app.run(app.portal.sign_in.refresh(tokens))) is Standing.LIVE


def test_security_92_no_app_says_yes_a_second_after_the_revocation_though_feeds_are_cut(real: Real) -> None:
    """The short form of `python -m bench.revoking`: some copies of the app lose the feed while sessions end."""
    place = Place(real.places.main, "claims", real.places.secret("claims.secret"), real.places.claims, real.database)
    found = asyncio.run(measure(place, "acc_ben", revocations=12, apps=4, rate=20))
    assert (len(found.worst), len(found.late)) == (12, 48)
    assert found.asked > 100
    assert found.beyond == 0, f"{max(found.late)} s, at most {BOUND}"
