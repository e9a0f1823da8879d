"""New work, other hours, owned and left computers: each fires on two people and not on what looks like them."""

from tests.sharing.story import Story
from tests.sharing.test_evidence import AFTER, BEFORE, known

OTHER = ("remittance", "appeal", "claim.submit")


def with_new_work(story: Story, *, old_desk: bool, functions: tuple[str, ...] = OTHER) -> Story:
    if old_desk:
        story.usual(AFTER)
    for day in AFTER:
        story.ask(day, 10.5, "ana", "new-pc", *functions)
    return story.tell()


def test_domain_10_a_later_computer_with_work_never_done_before_beside_the_old_one_is_new_work():
    assert with_new_work(known(), old_desk=True).kinds()["new_work"] > 1


def test_domain_10_a_second_desk_for_the_usual_work_is_no_new_work():
    assert "new_work" not in with_new_work(known(), old_desk=True, functions=("eligibility", "claim")).kinds()


def test_domain_10_who_changes_jobs_and_leaves_the_old_computer_soon_shows_no_new_work():
    both = with_new_work(known(), old_desk=True).kinds()["new_work"]
    assert with_new_work(known(), old_desk=False).kinds().get("new_work", 0.0) < 0.5 * both


def test_domain_10_who_goes_back_to_the_old_computer_for_an_hour_a_day_has_changed_jobs():
    def hours_at_the_old_desk(*hours: float) -> dict[str, float]:
        story = known()
        for day in AFTER:
            for hour in hours:
                story.ask(day, hour, "ana", "ana-pc", "eligibility", "claim")
            for hour in (8.2, 9.4, 11.5, 13.3, 14.5, 15.7, 16.9):
                story.ask(day, hour, "ana", "new-pc", *OTHER)
        return story.tell().kinds()

    visits, both = hours_at_the_old_desk(10.5), hours_at_the_old_desk(8.1, 9.3, 10.5, 13.2, 14.4)
    assert both["new_work"] > 1
    assert visits["new_work"] < 0.7 * both["new_work"], "the old work is handed over"
    assert visits.get("role_split", 0.0) < 0.7 * both["role_split"]


def test_domain_10_two_kinds_of_work_from_the_first_day_are_one_person_s_mix():
    story = Story()
    for day in (*BEFORE, *AFTER):
        story.sign_in(day, 8, "ana", "ana-pc")
        story.ask(day, 9, "ana", "ana-pc", "eligibility", "claim")
        story.ask(day, 10, "ana", "new-pc", *OTHER)
    assert "new_work" not in story.tell().kinds()


def turns(story: Story, *, hour: float, before: bool = False, network: str = "site") -> Story:
    """Others make the site a workplace; another computer is used at an hour, of late or since ever."""
    for who in ("ben", "cy"):
        story.ask(0, 9, who, f"{who}-pc")
    for day in (*BEFORE, *AFTER) if before else AFTER:
        if day in AFTER:
            for at in (8.5, 9, 10, 11, 13, 15, 16):
                story.ask(day, at, "ana", "ana-pc")
        story.ask(day, hour, "ana", "late-pc", "eligibility", "claim", network=network)
    return story.tell()


def test_domain_10_a_later_computer_at_hours_at_which_the_old_one_never_is_splits_the_hours():
    assert turns(known(), hour=19).kinds()["hours_split"] > 1


def test_domain_10_an_evening_at_home_or_at_hours_known_before_splits_nothing():
    at_home = known()
    at_home.site("home", 41.9, -87.7, "unknown")
    assert "hours_split" not in turns(at_home, hour=19, network="home").kinds()
    assert "hours_split" not in turns(known(), hour=19, before=True).kinds()
    assert "hours_split" not in turns(known(), hour=9.5).kinds()


def visited(story: Story, *, owner_until: int) -> Story:
    """Ben's computer, visited by many; Ana does other work there."""
    for day in range(owner_until):
        story.ask(day, 8.5, "ben", "ben-pc", "remittance", "appeal")
    for day, who in enumerate(("cy", "dee", "eve")):
        story.ask(day, 12, who, "ben-pc")
    story.usual(AFTER)
    for day in AFTER:
        for hour in (9, 10, 11, 14):
            story.ask(day, hour, "ana", "ben-pc", "remittance", "appeal")
    return story.tell()


def test_domain_10_a_computer_with_a_clear_owner_is_no_pool_though_others_visit_it():
    assert visited(known(), owner_until=26).kinds()["role_split"] > 1


def test_domain_10_who_does_an_absent_colleague_s_work_at_their_desk_stands_in():
    there, away = visited(known(), owner_until=26).kinds(), visited(known(), owner_until=20).kinds()
    assert away["role_split"] < 0.5 * there["role_split"]
    assert away.get("new_work", 0.0) < 0.5 * there["new_work"]
