"""Habits of one person that look like two: each counts little, where the same traces of two people count in full."""

from tests.sharing.story import Story
from tests.sharing.test_evidence import AFTER, BEFORE, absent, known
from tests.sharing.test_new_evidence import OTHER


def test_domain_10_a_visit_to_the_old_computer_over_the_full_hour_is_still_a_visit():
    def at_the_old_desk(*hours: float) -> float:
        story = Story()
        for day in BEFORE:  # whose days are short: few hours of the clock are touched
            story.sign_in(day, 8, "ana", "ana-pc")
            for hour in (8.2, 9.3, 11.4, 14.1, 15.2):
                story.ask(day, hour, "ana", "ana-pc", "eligibility", "claim")
        for day in AFTER:
            for hour in hours:
                story.ask(day, hour, "ana", "ana-pc", "eligibility", "claim")
            for hour in (9.8, 11.5, 13.3, 14.5, 15.7):
                story.ask(day, hour, "ana", "new-pc", *OTHER)
        return story.tell().kinds().get("new_work", 0.0)

    visit, both = at_the_old_desk(8.6, 9.1), at_the_old_desk(8.2, 9.3, 11.4, 14.1)
    assert both > 1
    assert 0 < visit < 0.5 * both


def test_domain_10_to_and_fro_on_a_line_that_is_no_workplace_weighs_less():
    def to_and_fro(network: str, mates: tuple[str, ...]) -> float:
        story = known()
        story.site("home", 41.8, -87.7, "unknown")
        for who in mates:
            story.ask(0, 9, who, f"{who}-pc")
        for number in range(8):
            story.ask(21, 9 + number / 10, "ana", ("ana-pc", "other-pc")[number % 2], network=network)
        return story.tell().kinds()["overlap"]

    assert 0 < to_and_fro("home", ("ben", "cy")) < 0.5 * to_and_fro("site", ("ben", "cy"))


def test_domain_10_a_strange_computer_during_leave_weighs_little_where_the_browser_always_forgets():
    story = Story()
    for day in BEFORE:
        story.sign_in(day, 8, "ana", f"new{day}")
        for hour in (8.1, 9.3, 10.5):
            story.ask(day, hour, "ana", f"new{day}", "eligibility")
    assert 0 < absent(story, "other-pc").kinds()["absent_desktop"] < 0.3


def test_domain_10_who_works_at_shared_workstations_may_stand_in_for_an_absent_colleague_too():
    def at_bens_desk(*, ben_is_away: bool) -> float:
        story = Story()
        for day in (*BEFORE, *AFTER):
            for who in ("ana", "cy", "dee"):
                for hour, pool in ((8, "pool-1"), (10, "pool-2"), (13, "pool-1"), (15, "pool-2")):
                    story.sign_in(day, hour + len(who) / 10, who, pool)
                    story.ask(day, hour + len(who) / 10 + 0.05, who, pool, "eligibility", "card")
            if day in BEFORE or not ben_is_away:
                for hour in (8.5, 10.5, 12.5, 14.5):
                    story.ask(day, hour, "ben", "ben-pc", "remittance", "appeal")
        for day in AFTER:
            for hour in (9, 11, 14):
                story.ask(day, hour, "ana", "ben-pc", "remittance", "appeal")
        return story.tell().kinds().get("role_split", 0.0)

    there, away = at_bens_desk(ben_is_away=False), at_bens_desk(ben_is_away=True)
    assert there > 1
    assert away < 0.3 * there
