"""Every clock of domain.md sections 7 and 9: open one second before its end, closed at its end, by a moved clock.

`EXPIRIES` are proved here, one row each. `ELSEWHERE` names the test of each other duration that can be set; the last
test fails when somebody adds a duration and proves it nowhere.
"""

from datetime import timedelta
from pathlib import Path

import pytest
from freezegun import freeze_time

from idp import clock
from idp.configuration import Clocks
from tests.flows import expiring
from tests.flows.expiring import Expiry
from tests.sign_in_world import World

TESTS = Path(__file__).parents[1]
EXPIRIES = [
    Expiry("7: idle sign-out, 15 minutes", timedelta(minutes=15), expiring.idle, "session_idle"),
    Expiry("7: overall session, 12 hours", timedelta(hours=12), expiring.overall, "session_absolute"),
    Expiry("7: invitation link, 24 hours", timedelta(hours=24), expiring.invitation, "invitation"),
    Expiry("7: access request, 30 days", timedelta(days=30), expiring.an_application, "application_expires"),
    Expiry("7: representation, its last day", timedelta(days=90), expiring.an_affiliation),
    Expiry("7: first-WAM claim locked, 24 hours", timedelta(hours=24), expiring.a_locked_claim, "claim_locked"),
    Expiry("9: address confirmation, 24 hours", timedelta(hours=24), expiring.a_registration, "registration"),
    Expiry("9: mailed recovery code, 15 minutes", timedelta(minutes=15), expiring.mailed_code, "mailed_code"),
    Expiry("9: recovery, an hour in all", timedelta(hours=1), expiring.a_recovery, "recovery"),
    Expiry("9: a manager's word waits 24 hours", timedelta(hours=24), expiring.managers_word, "recovery_wait"),
    Expiry(
        "9: proof before changing logins, 10 minutes", timedelta(minutes=10), expiring.proof_for_linking, "link_proof"
    ),
    Expiry("9: an outside login waiting for its link, 10 minutes", timedelta(minutes=10), expiring.pending_link),
    Expiry("9: one of two accounts proved, 10 minutes", timedelta(minutes=10), expiring.pending_merge),
    Expiry("9: a fresh second step, 15 minutes", timedelta(minutes=15), expiring.a_factor_used, "factor_fresh"),
    Expiry("9: a journey, 10 minutes", timedelta(minutes=10), expiring.a_journey, "flow"),
    Expiry("9: a passkey's challenge, 10 minutes", timedelta(minutes=10), expiring.a_passkeys_challenge),
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
    "case_kept_years": "cases/test_keeping.py::"
    "test_domain_7_a_case_is_destroyed_whole_six_years_after_its_last_effect_and_not_before",
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
