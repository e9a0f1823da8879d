"""Every clock of domain.md sections 7 and 9: open one second before its end, closed at its end, by a moved clock.

`EXPIRIES` are proved here, one row each. `ELSEWHERE` names the test of each other duration that can be set; the last
test fails when somebody adds a duration and proves it nowhere.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from freezegun import freeze_time
from sqlalchemy import text
from sqlmodel import Session as Db
from sqlmodel import select

from idp import clock
from idp.accounts import (
    ceremonies,
    flows,
    linking,
    people,
    recovery,
    recovery_mail,
    sessions,
    vouching,
)
from idp.accounts.assertion import Assertion
from idp.accounts.assurance import AAL2
from idp.accounts.tables import Login, Session
from idp.configuration import Clocks
from idp.database import transaction
from idp.entitlements import asking
from idp.entitlements.question import OURSELVES, Question
from idp.errors import Refused
from idp.merging import merge
from idp.providers import affiliations, organisations
from idp.registration import first_manager, invitations, journey, waiting
from idp.registration.tables import Application, FirstManagerClaim
from tests.sign_in_world import World

Open = Callable[[], bool]
"""Asks once more whether the thing still works; changes nothing."""
TESTS = Path(__file__).parents[1]
BROWSER = "a-browser-of-our-own"


@dataclass(frozen=True)
class Expiry:
    """One clock: its line of domain.md, how long it runs, and what begins it."""

    line: str
    lasts: timedelta
    begin: Callable[[World], Open]
    clock: str | None = None
    """The setting it is."""


def _works(world: World, ask: Callable[[Db], object]) -> Open:
    def asked() -> bool:
        with transaction(world.database) as db, db.begin_nested() as taken_back:
            try:
                return bool(ask(db))
            except Refused:
                return False
            finally:
                taken_back.rollback()

    return asked


def _session(world: World, name: str = "ana") -> sessions.Opened:
    account_id = world.ids()[name]
    with transaction(world.database) as db:
        login = db.exec(select(Login).where(Login.account_id == account_id)).first()
        assert login is not None
        now = clock.now()
        return sessions.open_session(
            db, account_id=account_id, login_id=login.id, acr=AAL2, amr=["pwd", "otp"], factor_time=now
        )


def idle(world: World) -> Open:
    secret = _session(world).secret
    return _works(world, lambda db: sessions.find(db, secret))


def overall(world: World) -> Open:
    opened = _session(world)

    def used_all_along() -> bool:
        with transaction(world.database) as db:
            row = db.get(Session, opened.session.id)
            assert row is not None
            row.last_seen_at = clock.now() - timedelta(minutes=1)
            db.add(row)
        with transaction(world.database) as db:
            return sessions.find(db, opened.secret) is not None

    return used_all_along


def proof_for_linking(world: World) -> Open:
    opened = _session(world)

    def fresh(db: Db) -> bool:
        row = db.get(Session, opened.session.id)
        assert row is not None
        linking.require_fresh_proof(db, row)
        return True

    return _works(world, fresh)


def pending_link(world: World) -> Open:
    assertion = Assertion(
        upstream_id="ups_evergreen",
        issuer=world.evergreen.issuer,
        subject="ev-9",
        acr="",
        amr=(),
        auth_time=clock.now(),
        facts={},
        partner_id="ptr_evergreen",
    )
    with transaction(world.database) as db:
        held = linking.hold(db, assertion, browser=BROWSER, flow_id=None).id
    return _works(world, lambda db: linking.find(db, held, browser=BROWSER, flow_id=None))


def pending_merge(world: World) -> Open:
    opened = _session(world)
    with transaction(world.database) as db:
        row = db.get(Session, opened.session.id)
        assert row is not None
        begun = merge.begin(db, row, browser=BROWSER).id
    return _works(world, lambda db: merge.find(db, begun, browser=BROWSER))


def a_journey(world: World) -> Open:
    with transaction(world.database) as db:
        begun = flows.begin(db, browser=BROWSER, target="/account").id
    return _works(world, lambda db: flows.find(db, begun, BROWSER))


def invitation(world: World) -> Open:
    with transaction(world.database) as db:
        _, secret = invitations.invite(
            db, invited_by=world.ids()["wes"], display_name="Nina Frost", provider_id="prv_lakeside"
        )
    return _works(world, lambda db: invitations.look_up(db, secret))


def a_registration(world: World) -> Open:
    with transaction(world.database) as db:
        begun = journey.begin(db, browser=BROWSER, route="new").id
    return _works(world, lambda db: journey.find(db, begun, browser=BROWSER, person=None))


def a_recovery(world: World) -> Open:
    with transaction(world.database) as db:
        begun = recovery.begin(db, "ana.ruiz", browser=BROWSER, device_secret=None).id
    return _works(world, lambda db: recovery.find(db, begun, BROWSER))


def mailed_code(world: World) -> Open:
    account_id = world.ids()["ana"]
    with transaction(world.database) as db:
        people.add_contact(db, account_id, "ana@example.com", verified=True)
        begun = recovery.begin(db, "ana.ruiz", browser=BROWSER, device_secret=None)
        recovery.want_code(db, begun)
        begun_id = begun.id
    recovery_mail.send(world.database)
    with transaction(world.database) as db:
        facts = str(db.execute(text("SELECT facts FROM outbox WHERE template = 'recovery_code'")).scalars().first())
    code = "".join(re.findall(r"\d", facts))

    return _works(world, lambda db: recovery.CHECKS["mailed"](db, recovery.find(db, begun_id, BROWSER), code))


def managers_word(world: World) -> Open:
    """Closed until its wait is over: the row says `not yet`."""
    account_id = world.ids()["ana"]
    with transaction(world.database) as db:
        begun = recovery.begin(db, "ana.ruiz", browser=BROWSER, device_secret=None)
        begun.code_proved_at = begun.manager_wanted_at = clock.now()
        db.add(begun)
        db.flush()
        vouching.vouch(db, account_id, "prv_lakeside", by=world.ids()["wes"])

    def still_waits(db: Db) -> bool:
        word = vouching.of_account(db, account_id)
        return word is not None and not word.usable

    return _works(world, still_waits)


def a_factor_used(world: World) -> Open:
    """A decision that wants a fresh second step, asked by an access manager who never goes away."""
    with transaction(world.database) as db:
        organisations.open_portal(db, "prv_lakeside", "medical", by="operator")
        organisations.agree(db, "prv_lakeside", "medical")
    session_id = _session(world, "wes").session.id
    question = Question(world.ids()["wes"], "access.manage", "prv_lakeside", OURSELVES, line="medical", sid=session_id)

    def permitted() -> bool:
        with transaction(world.database) as db:
            row = db.get(Session, session_id)
            assert row is not None
            row.last_seen_at = clock.now()
            db.add(row)
        with transaction(world.database) as db:
            found = asking.decide_in_session(db, question)
        assert found.reason in (None, "step_up_required", "eligibility_ceased")
        return found.reason is None

    return permitted


def an_affiliation(world: World) -> Open:
    account_id = world.ids()["ana"]
    with transaction(world.database) as db:
        for row in affiliations.in_force(db, account_id, clock.now()):
            affiliations.end(db, row, by="operator", reason="test")
        affiliations.approve(
            db,
            account_id=account_id,
            provider_id="prv_lakeside",
            capacity="representative",
            by="operator",
            ends_at=clock.now() + timedelta(days=90),
        )
    return _works(world, lambda db: affiliations.in_force(db, account_id, clock.now()))


def an_application(world: World) -> Open:
    with transaction(world.database) as db:
        made = Application(
            account_id=world.ids()["ana"],
            tin_hash=b"tin",
            tin_encrypted=b"sealed",
            tin_last4="6789",
            starts_at=clock.now(),
            expires_at=clock.now() + Clocks().application_expires,
        )
        db.add(made)
        db.flush()
        made_id = made.id

    def waits() -> bool:
        with transaction(world.database) as db:
            waiting.tend(db)
        with transaction(world.database) as db:
            row = db.get(Application, made_id)
            return row is not None and row.status == "submitted"

    return waits


def a_locked_claim(world: World) -> Open:
    account_id = world.ids()["ana"]
    with transaction(world.database) as db:
        made = Application(
            account_id=account_id,
            tin_hash=b"tin",
            tin_encrypted=b"sealed",
            tin_last4="6789",
            starts_at=clock.now(),
            expires_at=clock.now() + timedelta(days=30),
        )
        db.add(made)
        db.flush()
        db.add(
            FirstManagerClaim(
                application_id=made.id,
                account_id=account_id,
                tin_hash=b"tin",
                status="locked",
                tries=first_manager.MOST_WRONG,
                locked_at=clock.now(),
            )
        )
    return _works(world, lambda db: first_manager.locked(db, account_id, b"tin"))


def a_passkeys_challenge(world: World) -> Open:
    bound = ceremonies.Bound("sign_in", BROWSER)
    with transaction(world.database) as db:
        sent = ceremonies.challenge(db, bound)

    return _works(world, lambda db: ceremonies.spend(db, bound, sent))


EXPIRIES = [
    Expiry("7: idle sign-out, 15 minutes", timedelta(minutes=15), idle, "session_idle"),
    Expiry("7: overall session, 12 hours", timedelta(hours=12), overall, "session_absolute"),
    Expiry("7: invitation link, 24 hours", timedelta(hours=24), invitation, "invitation"),
    Expiry("7: access request, 30 days", timedelta(days=30), an_application, "application_expires"),
    Expiry("7: representation, its last day", timedelta(days=90), an_affiliation),
    Expiry("7: first-WAM claim locked, 24 hours", timedelta(hours=24), a_locked_claim, "claim_locked"),
    Expiry("9: address confirmation, 24 hours", timedelta(hours=24), a_registration, "registration"),
    Expiry("9: mailed recovery code, 15 minutes", timedelta(minutes=15), mailed_code, "mailed_code"),
    Expiry("9: recovery, an hour in all", timedelta(hours=1), a_recovery, "recovery"),
    Expiry("9: a manager's word waits 24 hours", timedelta(hours=24), managers_word, "recovery_wait"),
    Expiry("9: proof before changing logins, 10 minutes", timedelta(minutes=10), proof_for_linking, "link_proof"),
    Expiry("9: an outside login waiting for its link, 10 minutes", timedelta(minutes=10), pending_link),
    Expiry("9: one of two accounts proved, 10 minutes", timedelta(minutes=10), pending_merge),
    Expiry("9: a fresh second step, 15 minutes", timedelta(minutes=15), a_factor_used, "factor_fresh"),
    Expiry("9: a journey, 10 minutes", timedelta(minutes=10), a_journey, "flow"),
    Expiry("9: a passkey's challenge, 10 minutes", timedelta(minutes=10), a_passkeys_challenge),
]
ELSEWHERE = {
    "session_idle_aal1 session_absolute_aal1 session_idle_phr session_absolute_phr": (
        "accounts/test_session_limits.py::test_security_19_each_strength_has_its_idle_and_its_overall_limit"
    ),
    "inactivity_warns inactivity_suspends inactivity_ends": (
        "wam/test_resting.py::test_domain_7_not_seen_for_60_days_warned_90_paused_180_ended"
    ),
    "emergency": "wam/test_emergency.py::test_emergency_access_ends_after_four_hours_by_itself",
    "case_answer": "cases/test_asking.py::test_domain_10_an_answer_is_taken_for_72_hours_then_the_question_is_over",
    "case_notice": (
        "cases/test_deciding.py::test_domain_10_those_concerned_hear_within_24_hours_or_why_not_is_written_down"
    ),
    "case_appeal": "cases/test_deciding.py::test_domain_10_an_appeal_is_taken_for_30_days",
    "case_interim": (
        "cases/test_interim.py::test_domain_2_7_an_interim_manager_holds_the_role_for_30_days_at_the_longest"
    ),
    "case_second_word": "cases/test_deciding.py::test_domain_10_a_second_word_waits_seven_days",
    "case_triage_urgent": (
        "cases/test_opening.py::test_domain_10_triage_is_due_in_a_business_day_and_in_four_hours_when_contained"
    ),
    "first_manager_key first_manager_fact first_manager_call": (
        "first_managers/test_w1_first_manager.py::test_w1_by_a_letter_whose_key_is_on_paper_alone_and_good_for_60_days"
    ),
    "payment_hold": (
        "flows/test_w4_two_managers.py::test_w4_nothing_is_given_before_the_second_word_and_nothing_holds_before_a_day"
    ),
    "credential_warnings": "providers/test_lapses.py::test_o_01_four_warnings_go_out_each_once",
    "authorization_code access_token id_token": "oauth/test_liveness.py::test_codes_and_tokens_expire_by_the_clock",
    "refresh_token": "oauth/test_liveness.py::test_a_refresh_token_never_outlives_its_session",
    "pushed_request": "oauth/test_pushed.py::"
    "test_security_46_a_pushed_request_ends_after_ninety_seconds_and_is_its_own_apps",
    "client_assertion": "oauth/test_token_endpoint.py::"
    "test_security_45_private_key_jwt_works_once_and_only_for_our_issuer",
    "leeway": "oauth/test_signatures.py::test_security_90_times_hold_within_the_leeway_only",
    "key_next key_rotation": "oauth/test_keys.py::"
    "test_security_58_rotation_needs_a_published_successor_and_no_verification_fails",
    "key_retiring": "oauth/test_keys.py::test_a_retired_key_is_removed_after_its_time_and_its_private_half_is_gone",
    "jwks_max_age": "kit/test_issuer.py::test_security_34_a_max_age_of_a_year_is_cut_to_five_minutes",
    "upstream_metadata": "contract/test_every_connector.py::"
    "test_security_34_metadata_is_kept_an_hour_and_unknown_keys_ask_rarely",
    "attestation_years": "accounts/test_terms_and_attestations.py::"
    "test_t_14_an_attestation_lasts_to_the_same_date_next_year",
    "attestation_reminders": "flows/test_ru9_leaves.py::test_t14_an_attestation_is_asked_for_before_its_year_is_over",
    "application_reminders application_escalates": "flows/test_w2_applications.py::"
    "test_domain_7_managers_are_reminded_then_the_insurer_then_it_ends",
    "review review_sensitive review_notices": "flows/test_w7_recertifies.py::"
    "test_w7_reviews_open_by_the_calendar_sooner_for_money_and_notices_go_out_once",
    "review_ends": "flows/test_w7_recertifies.py::"
    "test_w7_what_nobody_answers_about_ends_after_the_grace_and_the_report_says_so",
    "remembered device, until the session's end": "accounts/test_step_up.py::"
    "test_domain_9_a_remembered_device_spares_the_second_step_after_the_idle_sign_out",
    "a grant's end date": "jobs/test_jobs.py::test_expired_grants_are_ended_told_and_recorded_once",
    "a representation's last day, by the job": "flows/test_ru9_leaves.py::"
    "test_t10_a_representation_ends_with_its_last_day",
    "terms in force from their day": "accounts/test_terms_and_attestations.py::"
    "test_t_06_a_new_version_is_asked_for_when_it_takes_effect",
    "delays after failures, up to 15 minutes": "accounts/test_attempts.py::"
    "test_security_7_delays_grow_after_the_first_failures",
    "a code of an app, one step either side": "accounts/test_second_factor.py::"
    "test_security_15_one_step_either_side_counts_and_no_more",
}
"""Durations -> the test that proves them."""
NO_EXPIRY = {"seal", "checkpoint"}
"""Durations after which nothing ends: how often the log is sealed."""


@pytest.mark.parametrize("one", EXPIRIES, ids=lambda one: one.line)
def test_domain_7_and_9_open_until_the_end_of_its_clock_and_closed_at_it(world: World, one: Expiry) -> None:
    start = clock.now() + timedelta(days=1)
    with freeze_time(start):
        still_open = one.begin(world)
        assert still_open(), "open at its beginning"
    with freeze_time(start + one.lasts - timedelta(seconds=1)):
        assert still_open(), "open a second before its end"
    with freeze_time(start + one.lasts):
        assert not still_open(), "closed at its end"
    with freeze_time(start + one.lasts + timedelta(days=400)):
        assert not still_open(), "and never open again"


def test_every_duration_that_can_be_set_is_proved_somewhere() -> None:
    proved = {one.clock for one in EXPIRIES if one.clock}
    for names, test in ELSEWHERE.items():
        file, _, name = test.partition("::")
        assert f"def {name}(" in (TESTS / file).read_text(), test
        proved |= set(names.split())
    assert set(Clocks.model_fields) - NO_EXPIRY <= proved
    for one in EXPIRIES:
        if one.clock is not None:
            assert getattr(Clocks(), one.clock) == one.lasts, one.line
