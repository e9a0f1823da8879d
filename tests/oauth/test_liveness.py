"""What is taken away is gone at the very next request: refresh, introspection, userinfo."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from freezegun import freeze_time
from sqlalchemy import text

from idp import clock
from idp.accounts import sessions, terms
from idp.accounts.tables import Session
from idp.database import transaction
from idp.providers import affiliations, organisations
from idp.providers.tables import Affiliation
from idp.signals import epochs
from tests.oauth.world import SECRET, World, answer_of, claims_of


def suspend_account(world: World, db: object) -> None:
    db.execute(text("UPDATE account SET status = 'suspended' WHERE id = :a"), {"a": world.ana})  # type: ignore[attr-defined]
    epochs.changed_account(db, world.ana)  # type: ignore[arg-type]


def cease_account(world: World, db: object) -> None:
    db.execute(text("UPDATE account SET status = 'ceased' WHERE id = :a"), {"a": world.ana})  # type: ignore[attr-defined]
    epochs.changed_account(db, world.ana)  # type: ignore[arg-type]


def end_session(world: World, db: object) -> None:
    for session in sessions.live_of(db, world.ana):  # type: ignore[arg-type]
        sessions.end(db, session, because="signed_out")  # type: ignore[arg-type]


def end_affiliation(world: World, db: object) -> None:
    from sqlmodel import col, select

    found = db.exec(select(Affiliation).where(col(Affiliation.account_id) == world.ana)).one()  # type: ignore[attr-defined]
    affiliations.end(db, found, by="operator", reason="left")  # type: ignore[arg-type]


def suspend_provider(world: World, db: object) -> None:
    db.execute(text("UPDATE provider SET status = 'suspended' WHERE id = :p"), {"p": world.clinic})  # type: ignore[attr-defined]
    epochs.changed_policy(db)  # type: ignore[arg-type]


def publish_terms(world: World, db: object) -> None:
    terms.publish(db, kind="site", version="3.0", title="Site terms", body="Be better.")  # type: ignore[arg-type]


def narrow_channels(world: World, db: object) -> None:
    clinic = organisations.find(db, world.clinic)  # type: ignore[arg-type]
    organisations.change(db, clinic, channels=["mobile"])  # type: ignore[arg-type]


def open_to_clinic(world: World) -> None:
    with transaction(world.database) as db:
        organisations.open_portal(db, world.clinic, "medical", by="operator")
        organisations.agree(db, world.clinic, "medical")


def close_portal(world: World, db: object) -> None:
    organisations.close_portal(db, world.clinic, "medical", by="operator", because="contract")  # type: ignore[arg-type]


def end_agreement(world: World, db: object) -> None:
    db.execute(text("UPDATE agreement SET ends_at = starts_at + 1"))  # type: ignore[attr-defined]
    epochs.changed_policy(db)  # type: ignore[arg-type]


def attestation_over(world: World, db: object) -> None:
    db.execute(text("UPDATE attestation SET expires_at = 1"))  # type: ignore[attr-defined]
    epochs.changed_account(db, world.ana)  # type: ignore[arg-type]


def remove_login(world: World, db: object) -> None:
    db.execute(text("UPDATE login SET ended_at = 1"))  # type: ignore[attr-defined]


def suspend_partner(world: World, db: object) -> None:
    db.execute(  # type: ignore[attr-defined]
        text(
            "INSERT INTO partner (id, name, kind, status, contact_name, contact_phone, contact_url, created_at) "
            "VALUES ('ptr_x', 'X', 'affiliate', 'suspended', '', '', '', 0)"
        )
    )
    db.execute(text("UPDATE session SET partner_id = 'ptr_x'"))  # type: ignore[attr-defined]
    epochs.changed_policy(db)  # type: ignore[arg-type]


TAKEN_AWAY: list[tuple[Callable[[World, object], None], str]] = [
    (suspend_account, "account_inactive"),
    (cease_account, "eligibility_ceased"),
    (end_session, "session_ended"),
    (end_affiliation, "affiliation_ended"),
    (suspend_provider, "organisation_not_granted"),
    (close_portal, "organisation_not_granted"),
    (narrow_channels, "channel_not_enabled"),
    (end_agreement, "organisation_not_granted"),
    (publish_terms, "terms_required"),
    (attestation_over, "eligibility_ceased"),
    (remove_login, "login_removed"),
    (suspend_partner, "partner_not_in_good_standing"),
]


@pytest.mark.parametrize(("take", "reason"), TAKEN_AWAY, ids=[t.__name__ for t, _ in TAKEN_AWAY])
def test_security_44_a_token_ends_with_what_it_rests_on(
    world: World, take: Callable[[World, object], None], reason: str
) -> None:
    open_to_clinic(world)
    world.sign_in()
    code, tokens = world.code(), world.tokens()
    assert world.introspect(tokens["access_token"])["active"] is True
    with transaction(world.database) as db:
        take(world, db)
    assert world.introspect(tokens["access_token"]) == {"active": False}
    assert world.introspect(tokens["refresh_token"]) == {"active": False}
    told = world.userinfo(tokens["access_token"])
    assert told.status_code == 401
    assert told.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    refreshed = world.refresh(tokens["refresh_token"])
    assert refreshed.status_code == 400
    assert refreshed.json()["error"] == "invalid_grant"
    family_over = {"affiliation_ended", "left"}
    description = refreshed.json()["error_description"]
    assert description == reason or description in family_over
    exchanged = world.exchange(code)
    assert exchanged.json()["error"] == "invalid_grant"


def test_a_lower_authorization_epoch_outdates_access_tokens_but_not_the_refresh(world: World) -> None:
    world.sign_in()
    tokens = world.tokens()
    with transaction(world.database) as db:
        epochs.changed_account(db, world.ana, takes_away=True)
    assert world.introspect(tokens["access_token"]) == {"active": False}
    assert world.userinfo(tokens["access_token"]).status_code == 401
    fresh = world.refresh(tokens["refresh_token"]).json()
    assert claims_of(fresh["access_token"])["authz_epoch"] == 2
    assert world.introspect(fresh["access_token"])["active"] is True


def test_security_43_a_code_works_once_and_its_second_use_ends_what_it_produced(world: World) -> None:
    world.sign_in()
    code = world.code()
    tokens = world.exchange(code).json()
    again = world.exchange(code)
    assert again.json()["error"] == "invalid_grant"
    assert world.introspect(tokens["access_token"]) == {"active": False}
    assert world.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert world.userinfo(tokens["access_token"]).status_code == 401
    assert {"oauth.code.reused", "oauth.family.ended"} <= set(world.events)
    assert world.run("SELECT kind, reason FROM revocation") == [("family_ended", "code_reused")]


def test_security_44_a_refresh_token_works_once_and_its_second_use_ends_the_family(world: World) -> None:
    world.sign_in()
    first = world.tokens()
    second = world.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert world.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    assert world.refresh(second["refresh_token"]).json()["error"] == "invalid_grant"
    assert world.introspect(second["access_token"]) == {"active": False}
    assert "oauth.refresh.reused" in world.events
    # The browser session lives on: the app can ask again.
    assert world.tokens()["access_token"]


def test_a_refresh_token_is_its_clients_and_its_scope_only_shrinks(world: World) -> None:
    world.client("other")
    world.sign_in()
    tokens = world.tokens(scope="openid profile email")
    other = world.token("other", SECRET, grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert other.json()["error"] == "invalid_grant"
    assert world.refresh(tokens["refresh_token"], scope="openid offline_access").json()["error"] == "invalid_scope"
    assert world.refresh(tokens["refresh_token"], resource="https://x.example").json()["error"] == "invalid_target"
    assert world.refresh(tokens["refresh_token"], acting_for=world.imaging).json()["error"] == "invalid_request"
    fewer = world.refresh(tokens["refresh_token"], scope="openid").json()
    assert fewer["scope"] == "openid"
    assert claims_of(fewer["access_token"])["scope"] == "openid"


def test_security_19_a_refresh_counts_as_activity_and_dies_with_the_sessions_limits(world: World) -> None:
    start = clock.now()
    with freeze_time(start, real_asyncio=True):
        sid = world.sign_in()
        token = world.tokens()["refresh_token"]
    for minutes in (14, 28, 42):
        with freeze_time(start + timedelta(minutes=minutes), real_asyncio=True):
            token = world.refresh(token).json()["refresh_token"]
    assert world.session(sid).last_seen_at == start + timedelta(minutes=42)
    with freeze_time(start + timedelta(minutes=58), real_asyncio=True):
        idle = world.refresh(token)
    assert idle.json() == {"error": "invalid_grant", "error_description": "session_expired"}


def test_a_refresh_token_never_outlives_its_session(world: World) -> None:
    sid = world.sign_in()
    world.tokens()
    [(ends,)] = world.run("SELECT expires_at FROM refresh_token")
    assert ends <= clock.micros(world.session(sid).expires_at)


def test_codes_and_tokens_expire_by_the_clock(world: World) -> None:
    start = clock.now()
    with freeze_time(start, real_asyncio=True):
        world.sign_in()
        code, tokens = world.code(), world.tokens()
        assert claims_of(tokens["access_token"])["exp"] - claims_of(tokens["access_token"])["iat"] == 300
    with freeze_time(start + timedelta(seconds=60), real_asyncio=True):
        assert world.exchange(code).json()["error_description"] == "The code has expired."
    with freeze_time(start + timedelta(seconds=361), real_asyncio=True):
        assert world.introspect(tokens["access_token"]) == {"active": False}
        assert world.userinfo(tokens["access_token"]).status_code == 401


def test_security_51_introspection_and_revocation_answer_only_whose_token_it_is(world: World) -> None:
    world.client("other")
    world.client("public", auth_method="none")
    world.sign_in()
    tokens = world.tokens()
    assert world.introspect(tokens["access_token"], "other") == {"active": False}
    assert world.introspect("nonsense") == {"active": False}
    assert world.introspect("a.b.c") == {"active": False}
    assert world.introspect(tokens["id_token"]) == {"active": False}
    assert world.introspect(tokens["refresh_token"])["token_type"] == "refresh_token"
    post = world.http.post
    assert post("/oauth/introspect", data={"token": "x"}).json()["error"] == "invalid_client"
    assert post("/oauth/introspect", data={"token": "x", "client_id": "public"}).json()["error"] == "invalid_client"
    assert post("/oauth/introspect", auth=("claims", SECRET), data={"a": "b"}).json()["error"] == "invalid_request"
    foreign = post("/oauth/revoke", auth=("other", SECRET), data={"token": tokens["refresh_token"]})
    assert foreign.json()["error"] == "invalid_grant"
    assert world.introspect(tokens["access_token"])["active"] is True


def test_rfc_7009_revoking_an_access_token_ends_it_and_a_refresh_token_its_family(world: World) -> None:
    world.sign_in()
    tokens = world.tokens()

    def revoke(token: str, **more: str) -> int:
        return int(world.http.post("/oauth/revoke", auth=("claims", SECRET), data={"token": token, **more}).status_code)

    assert revoke(tokens["access_token"], token_type_hint="something") == 200
    assert world.introspect(tokens["access_token"]) == {"active": False}
    assert revoke(tokens["access_token"]) == 200
    news = world.run("SELECT kind, token_id, account_id, session_id, family_id, reason FROM revocation")
    jti = claims_of(tokens["access_token"])["jti"]
    assert [tuple(row) for row in news] == [("token_revoked", jti, None, None, None, "revoked_by_app")], "told once"
    fresh = world.refresh(tokens["refresh_token"]).json()
    assert revoke(fresh["refresh_token"]) == 200
    assert world.introspect(fresh["access_token"]) == {"active": False}
    assert world.refresh(fresh["refresh_token"]).json()["error"] == "invalid_grant"
    assert revoke(fresh["refresh_token"]) == 200
    assert revoke("unknown") == 200
    assert world.events.count("oauth.token.revoked") == 4


def test_a_session_that_ended_between_code_and_exchange_gives_no_tokens(world: World) -> None:
    sid = world.sign_in()
    code = answer_of(world.authorize())["code"]
    with transaction(world.database) as db:
        session = db.get(Session, sid)
        assert session is not None
        sessions.end(db, session, because="signed_out")
    assert world.exchange(code).json() == {"error": "invalid_grant", "error_description": "session_ended"}
