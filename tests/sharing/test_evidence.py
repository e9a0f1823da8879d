"""Each kind of evidence fires on its pattern and not on the innocent patterns that look like it (domain.md 10)."""

import pytest

from idp.sharing.guards import ALL
from tests.sharing.story import Story

BEFORE, AFTER = range(20), range(20, 26)


def known(**given) -> Story:
    """Ana has worked at her desk for three weeks."""
    story = Story(**given)
    story.usual(BEFORE)
    return story


def two_roles(
    story: Story, *, device: str = "other-pc", functions: tuple[str, ...] = ("remittance", "appeal")
) -> Story:
    story.usual(AFTER)
    for day in AFTER:
        for hour in (9, 10, 11, 12, 14, 15):
            story.ask(day, hour, "ana", device, *functions)
    return story.tell()


def test_domain_10_two_devices_with_different_work_on_the_same_days_are_a_role_split():
    assert two_roles(known()).kinds()["role_split"] > 1


def test_domain_10_two_desks_with_the_same_work_are_no_role_split():
    assert "role_split" not in two_roles(known(), functions=("eligibility", "claim")).kinds()


def test_domain_10_a_phone_with_its_own_few_functions_is_no_role_split():
    story = known()
    story.device("other-pc", "phone")
    assert "role_split" not in two_roles(story).kinds()


def test_domain_10_a_morning_here_and_an_afternoon_there_weighs_less_than_to_and_fro():
    story = known()
    for day in AFTER:
        story.ask(day, 9, "ana", "ana-pc", "eligibility", "claim")
        story.ask(day, 14, "ana", "other-pc", "remittance", "appeal")
    there_and_back = two_roles(known()).kinds()["role_split"]
    assert story.tell().kinds()["role_split"] < 0.6 * there_and_back


def foreign(story: Story, *, owner_there: bool, to_and_fro: bool) -> Story:
    """Ana's login at Ben's computer."""
    story.usual(BEFORE, "ben", "ben-pc", "remittance")
    story.usual(AFTER)
    for day in AFTER:
        for hour in (9.0, 10.0, 11.0):
            if owner_there:
                story.ask(day, hour - 0.05, "ben", "ben-pc", "remittance")
            story.ask(day, hour, "ana", "ben-pc")
            if to_and_fro:
                story.ask(day, hour + 0.05, "ana", "ana-pc")
                story.ask(day, hour + 0.1, "ana", "ben-pc")
    return story.tell()


def test_domain_10_a_login_at_anothers_computer_while_both_are_in_use_is_foreign():
    assert foreign(known(), owner_there=True, to_and_fro=True).kinds()["foreign_device"] > 3


def test_domain_10_sitting_in_for_an_absent_colleague_is_not_foreign():
    assert "foreign_device" not in foreign(known(), owner_there=False, to_and_fro=False).kinds()


def test_domain_10_without_the_co_use_guard_sitting_in_counts():
    without = foreign(known(guards=ALL.without("co_use")), owner_there=False, to_and_fro=False)
    assert without.kinds()["foreign_device"] > 1


def test_domain_10_two_people_at_their_only_workstation_are_not_foreign():
    story = Story()
    for account, hours in (("ana", (8, 10, 12, 14)), ("ben", (9, 11, 13, 15))):
        for day in range(26):
            for hour in hours:
                story.sign_in(day, hour, account, "front-desk")
                story.ask(day, hour + 0.1, account, "front-desk")
    assert "foreign_device" not in story.tell().kinds()


def test_domain_10_a_pool_workstation_is_nobodys():
    story = known()
    for account in ("ben", "cleo", "dan"):
        for day in BEFORE:
            story.ask(day, 9 + len(account) / 10, account, "ben-pc")
    assert "foreign_device" not in foreign(story, owner_there=True, to_and_fro=True).kinds()


def slow(story: Story, *, device: str, seconds: float, days: range = AFTER) -> Story:
    for day in days:
        story.sign_in(day, 18, "ana", device, code=seconds)
    return story.tell()


def test_domain_10_codes_that_always_come_late_at_one_device_are_slow():
    assert slow(known(), device="other-pc", seconds=60).kinds()["slow_code"] > 2


def test_domain_10_a_slow_code_at_the_own_desk_weighs_little():
    assert slow(known(), device="ana-pc", seconds=60, days=range(20, 21)).kinds()["slow_code"] < 0.2


def test_domain_10_a_code_a_little_later_than_usual_is_not_slow():
    assert "slow_code" not in slow(known(), device="other-pc", seconds=19).kinds()


def hands(story: Story, *, gap: float) -> Story:
    for number in range(4):
        story.ask(21, 9 + number / 100, "ana", "ana-pc")
        story.ask(21, 9 + number / 100 + gap / 3600, "ana", "other-pc")
    return story.tell()


def test_domain_10_two_computers_in_the_same_seconds_are_two_hands():
    assert hands(known(), gap=1.0).kinds()["two_hands"] == 1


def test_domain_10_two_computers_in_the_same_minute_are_not():
    assert "two_hands" not in hands(known(), gap=8.0).kinds()


@pytest.mark.parametrize("form", ["phone", "tablet", "remote_desktop"])
def test_domain_10_a_phone_or_remote_desktop_beside_a_desktop_is_one_person(form):
    story = known()
    story.device("other-pc", form)
    assert "two_hands" not in hands(story, gap=1.0).kinds()


def absent(story: Story, device: str, *, times: int = 4, network: str = "site") -> Story:
    for account in ("ben", "cleo", "dan"):
        story.usual(range(3), account, f"{account}-pc")
    story.leave("ana", 21, 26)
    for number in range(times):
        story.ask(22, 10 + number / 10, "ana", device, network=network)
    return story.tell()


def test_domain_10_a_strange_desktop_at_work_during_leave_is_absence():
    assert absent(known(), "other-pc").kinds()["absent_desktop"] == 1


def test_domain_10_a_peek_from_the_own_desk_or_phone_is_not():
    assert "absent_desktop" not in absent(known(), "ana-pc").kinds()
    story = known()
    story.device("ana-phone", "phone")
    assert "absent_desktop" not in absent(story, "ana-phone").kinds()
    assert "absent_desktop" not in absent(known(), "other-pc", times=1).kinds()


def test_domain_10_a_strange_desktop_at_home_during_leave_weighs_little():
    story = known()
    story.site("home", 41.8, -87.7)
    assert absent(story, "home-pc", network="home").kinds()["absent_desktop"] < 0.3


def handed(story: Story, hour: float, first: str = "ana-pc") -> Story:
    for day in AFTER:
        story.ask(day, hour - 0.01, "ana", first)
        story.ask(day, hour, "ana", "other-pc")
    return story.tell()


def test_domain_10_a_change_of_device_at_shift_change_on_three_days_is_a_handover():
    assert handed(known(shifts=(7 * 60, 19 * 60)), 19).kinds()["handover"] >= 1


def test_domain_10_a_change_of_device_in_mid_shift_is_not():
    assert "handover" not in handed(known(shifts=(7 * 60, 19 * 60)), 14).kinds()


def test_domain_10_from_one_pool_workstation_to_another_is_no_handover():
    story = known(shifts=(7 * 60, 19 * 60))
    for account in ("ben", "cleo", "dan"):
        story.ask(19, 9, account, "other-pc")
        story.ask(19, 10, account, "ward-pc")
    assert "handover" not in handed(story, 19, first="ward-pc").kinds()


def test_domain_10_shift_changes_are_learned_from_who_comes_and_goes():
    story = known()
    for number in range(8):
        for day in BEFORE:
            begins = 7 if number % 2 else 11
            story.ask(day, begins + number / 50, f"nurse{number}", f"pc{number}")
            story.ask(day, begins + 4 + number / 50 if begins == 7 else 19, f"nurse{number}", f"pc{number}")
    assert handed(story, 11).kinds()["handover"] >= 1


def far(story: Story, *, device: str = "other-pc", use: str = "unknown", accounts: tuple[str, ...] = ("ana",)) -> Story:
    story.site("far", 34.1, -118.2, use)
    for account in accounts:
        if account != "ana":
            story.usual(BEFORE, account, f"{account}-pc")
    for day in AFTER:
        for account in accounts:
            own = f"{account}-pc"
            story.ask(day, 9, account, own)
            story.ask(day, 9.5, account, own if device == "own" else f"{device}-{account}", network="far")
    return story.tell()


def test_domain_10_two_computers_too_far_apart_are_two_places():
    assert far(known()).kinds()["two_places"] > 3


@pytest.mark.parametrize("use", ["egress", "vpn", "carrier"])
def test_domain_10_ways_out_vpns_and_carriers_are_not_places(use):
    assert "two_places" not in far(known(), use=use).kinds()


def test_domain_10_one_computer_in_two_places_shows_a_moving_address():
    story = far(known(), device="own")
    assert "two_places" not in story.kinds()
    assert story.detector.memory.networks["far"].teleports


def test_domain_10_an_address_that_several_people_jump_to_is_learned_as_no_place():
    story = far(known(), accounts=("ana", "ben", "cleo"))
    assert story.detector.memory.networks["far"].teleports
    assert not story.detector.memory.networks["site"].teleports
    assert story.kinds()["two_places"] <= 1


def commuting(story: Story, *, desktops: tuple[str, ...], nights: range) -> Story:
    """Desktops are here one day and far away the next; then the login is used far away and at once here."""
    story.site("spare", 34.1, -118.2)
    for day in nights:
        for name in desktops:
            story.ask(day, 9, name.partition("-")[0], name, network="spare" if day % 2 else "site")
    story.ask(29, 10, "ana", "other-pc", network="spare")
    story.ask(29, 10.2, "ana", "ana-pc")
    return story.tell()


def test_domain_10_a_clinics_line_that_is_placed_elsewhere_some_days_is_no_second_place():
    assert "two_places" in commuting(known(), desktops=(), nights=range(22, 28)).kinds()
    clinic = commuting(known(), desktops=("ben-pc", "cleo-pc"), nights=range(22, 24))
    assert clinic.detector.memory.networks["spare"].teleports
    assert "two_places" not in clinic.kinds()


def test_domain_10_one_computer_may_travel_once_but_not_every_night():
    once = commuting(known(), desktops=("ben-laptop",), nights=range(22, 24))
    assert not once.detector.memory.networks["spare"].teleports, "somebody went there with a laptop"
    nightly = commuting(known(), desktops=("ben-laptop",), nights=range(22, 28))
    assert nightly.detector.memory.networks["spare"].teleports
    assert not nightly.detector.memory.networks["site"].teleports


def test_domain_10_to_and_fro_between_two_computers_within_an_hour_is_overlap():
    story = known()
    for number in range(6):
        story.ask(21, 9 + number / 10, "ana", ("ana-pc", "other-pc")[number % 2])
    assert 0 < story.tell().kinds()["overlap"] <= 1


def test_domain_10_one_walk_to_another_desk_is_no_overlap():
    story = known()
    story.ask(21, 9, "ana", "ana-pc")
    story.ask(21, 9.5, "ana", "other-pc")
    assert "overlap" not in story.tell().kinds()


def spread(story: Story, *, stays: bool) -> Story:
    for day in range(20, 34):
        story.ask(day, 8, "ana", "ana-pc")
        for number in range(8):
            if stays or number == day % 8:
                story.ask(day, 9 + number, "ana", f"new{number}" if stays else f"new{day}")
    return story.tell()


def test_domain_10_many_new_computers_in_use_are_a_spread():
    assert spread(known(), stays=True).kinds()["device_spread"] > 0.5


def test_domain_10_a_browser_that_forgets_is_no_spread():
    assert "device_spread" not in spread(known(), stays=False).kinds()


def test_domain_10_pool_devices_are_no_spread():
    story = known()
    for account in ("ben", "cleo", "dan"):
        for number in range(8):
            story.ask(19, 9 + number, account, f"new{number}")
    assert "device_spread" not in spread(story, stays=True).kinds()


def long_days(story: Story, hours: range) -> Story:
    for day in AFTER:
        for hour in hours:
            story.ask(day, hour + 0.5, "ana", ("ana-pc", "other-pc")[hour % 2])
    return story.tell()


def test_domain_10_eighteen_hours_on_two_computers_are_a_long_span():
    assert long_days(known(), range(5, 23)).kinds()["hours_span"] > 1


def test_domain_10_an_early_and_a_late_glance_are_not():
    story = known()
    for day in AFTER:
        for hour in (5, 9, 22.5):
            story.ask(day, hour, "ana", "ana-pc" if hour == 9 else "other-pc")
    assert "hours_span" not in story.tell().kinds()
