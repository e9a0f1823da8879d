"""The detector as a whole: score, guards, memory and cost, and a short simulated world end to end (T-34 to T-36)."""

import json
import random
import time

import pytest
from typer.testing import CliRunner

from idp.cli.sharing import app
from idp.errors import Refused
from idp.sharing import evidence, reading, score, takeover
from idp.sharing.detector import Detector
from idp.sharing.events import FactorChange, Label, Report, Request, SignIn
from idp.sharing.guards import ALL, NAMES, Guards
from idp.sharing.judge import Run, judge, lines, run
from idp.sharing.seen import Finding, local
from idp.sharing.simulator.parameters import FIT, JUDGE, world
from idp.sharing.simulator.world import World, line, write
from idp.sharing.state import DAY, AccountMemory, Standing
from tests.sharing.story import Story
from tests.sharing.test_evidence import AFTER, hands, known, two_roles


@pytest.fixture(scope="module")
def small() -> World:
    return World(world(FIT[0], seed=5, accounts=64, days=50))


@pytest.fixture(scope="module")
def ran(small: World) -> tuple[World, Run, Detector]:
    detector = Detector()
    return small, run(detector, small.events()), detector


def test_domain_10_a_small_world_from_end_to_end(ran):
    made, done, _ = ran
    judged = lines()
    judge(done, made.labels, judged)
    assert judged["case"].false == 0
    assert judged["notice"].false <= 1
    assert judged["notice"].found >= 2
    assert {label.pattern for label in made.labels if label.label == "sharing"} == set(judged["case"].patterns)


def test_domain_10_the_same_seed_makes_the_same_world_and_another_seed_another():
    def told(seed: int) -> list[bytes]:
        return [line(event) for event in World(world(FIT[0], seed=seed, accounts=12, days=22)).events()]

    assert told(3) == told(3)
    assert told(3) != told(4)


def test_domain_10_worlds_judged_are_not_worlds_fitted():
    assert not set(JUDGE.values()) & set(FIT)


def test_domain_10_memory_survives_being_kept_and_restored(ran):
    made, _, detector = ran
    other = Detector()
    other.restored(detector.kept())
    assert other.memory == detector.memory
    account = made.sharers[0].person.account
    assert other.standing(account, 0.0) == detector.standing(account, 0.0)


def test_domain_10_evidence_counts_once_a_day_at_its_strongest():
    held: dict[str, Standing] = {}
    for strength in (0.4, 0.9, 0.5):
        score.add(held, "overlap", Finding(strength, ""), time=100.0, day=0, half_life=14)
    assert held["overlap"].amount == pytest.approx(0.9)
    assert held["overlap"].days == 1


def test_domain_10_evidence_halves_in_fourteen_days_and_saturates():
    held: dict[str, Standing] = {}
    score.add(held, "overlap", Finding(1.0, ""), time=0.0, day=0, half_life=14)
    assert score.amount(held["overlap"], 14 * DAY, 14) == pytest.approx(0.5)
    for day in range(1, 200):
        score.add(held, "overlap", Finding(1.0, ""), time=day * DAY, day=day, half_life=14)
    by = score.weights()
    assert score.parts(held, 199 * DAY, by)["overlap"] <= by.kinds["overlap"].most


def test_domain_10_every_kind_has_an_estimated_weight_and_the_lines_rise():
    assert set(score.weights().kinds) == set(evidence.KINDS)
    assert set(score.weights("takeover").kinds) == set(takeover.KINDS)
    for by in (score.weights(), score.weights("takeover")):
        assert by.lines["notice"] < by.lines["case"] < by.lines["containment"]
        assert all(weight.most >= 0 and weight.days > 0 for weight in by.kinds.values())


def test_domain_10_no_score_before_fourteen_days_and_ten_sign_ins():
    young = Story()
    young.usual(range(13))
    young.usual(range(13), "ana", "other-pc", "remittance", "appeal")
    assert young.tell().kinds() == {}
    seldom = Story()
    for day in range(20, 26):
        seldom.sign_in(day, 8, "ana", "ana-pc")
        for hour in (9, 10, 11):
            seldom.ask(day, hour, "ana", "ana-pc", "eligibility")
            seldom.ask(day, hour + 0.5, "ana", "other-pc", "remittance")
    assert seldom.tell().kinds() == {}


def test_domain_10_a_report_counts_at_once_but_alone_is_never_a_case():
    story = Story()
    story.usual(range(2))
    for day in range(5):
        story.pending.append(Report(story.at(day, 18), "ana", "access_manager"))
    story.tell()
    assert story.kinds()["report"] > 3
    assert {one.band for one in story.crossed} <= {"notice"}


def test_domain_10_sharing_is_told_with_its_reasons_in_words():
    story = hands(two_roles(known()), gap=1.0)
    found = story.detector.standing("ana", story.at(26, 0))
    seen = {one.kind: one.seen for one in found.reasons}
    assert {"role_split", "new_work"} <= seen.keys()
    assert "as if by two people" in seen["role_split"]
    assert any(one.what == "sharing" for one in story.crossed)


def test_domain_10_an_ordinary_person_scores_nothing():
    story = known()
    story.usual(AFTER)
    story.tell()
    assert story.kinds() == {}
    assert story.crossed == []


def stranger(*, device: str, far: bool) -> Story:
    story = known()
    story.site("there", *((34.1, -118.2) if far else (41.8, -87.7)), "unknown")
    story.sign_in(21, 3, "ana", device, network="there")
    story.pending.append(FactorChange(story.at(21, 3.1), "ana", device, "there", "added"))
    story.ask(21, 3.2, "ana", device, "people", "reports", "bank", "remittance", network="there")
    return story.tell()


def test_domain_10_a_stranger_is_scored_apart_from_sharing():
    story = stranger(device="new", far=True)
    assert {"strange_place", "strange_functions", "factor_change"} <= set(
        story.detector.memory.accounts["ana"].takeover
    )
    assert "case" in {one.band for one in story.crossed if one.what == "takeover"} | {
        "case" for one in story.crossed if one.band == "containment"
    }
    assert not [one for one in story.crossed if one.what == "sharing"]


def test_domain_10_the_own_laptop_on_a_journey_is_no_stranger():
    assert stranger(device="ana-pc", far=True).detector.memory.accounts["ana"].takeover == {}


def test_domain_10_each_guard_can_be_turned_off_and_only_that_one():
    for name in NAMES:
        off = ALL.without(name)
        assert [one for one in NAMES if not getattr(off, one)] == [name]
    with pytest.raises(TypeError):
        Guards().without("nothing")


def busy(detector: Detector, number: int, pick: random.Random) -> None:
    """One event of an account that does everything: new devices, networks and functions without end."""
    at = 1_767_600_000.0 + number * 600
    device, network = f"d{pick.randrange(number // 4 + 3)}", f"n{pick.randrange(number // 6 + 3)}"
    if number % 20 == 0:
        detector.feed(SignIn(at, "ana", device, network, "clinic"))
    detector.feed(Request(at, "ana", device, network, f"f{pick.randrange(400)}", "clinic"))


def size(memory: AccountMemory) -> int:
    return len(json.dumps(memory, default=lambda one: {name: getattr(one, name) for name in one.__slots__}))


def test_domain_10_an_accounts_memory_is_bounded_and_an_event_costs_the_same_after_a_long_history():
    detector, pick = Detector(), random.Random(1)  # noqa: S311 - to repeat
    sizes, costs = [], []
    for part in range(8):
        began = time.process_time()
        for number in range(part * 1500, (part + 1) * 1500):
            busy(detector, number, pick)
        costs.append(time.process_time() - began)
        sizes.append(size(detector.memory.accounts["ana"]))
    assert max(sizes[4:]) < 1.5 * sizes[1]
    assert min(costs[5:]) < 3 * min(costs[1:3])
    assert min(costs) / 1500 < 0.001


def test_domain_10_daylight_saving_moves_the_clock_and_not_the_day():
    assert local("America/Chicago", 1_772_956_799.0) == (20520, 119)  # one second before 2 a.m. on March 8, 2026
    assert local("America/Chicago", 1_772_956_800.0) == (20520, 180)


def test_domain_10_findings_before_sharing_began_are_false(small):
    from idp.sharing.detector import Crossed

    label = next(one for one in small.labels if one.label == "sharing" and one.lasting)
    early = Crossed(label.begins - 1, label.account, "sharing", "case", 50)
    judged = lines()
    judge(Run(crossed=[early], first={"x": 0.0}, last={"x": 44 * DAY}), [label], judged)
    assert (judged["case"].false, judged["case"].found, judged["case"].months) == (1, 0, 1.0)
    assert judged["case"].false_rate == 1000
    again = Label(label.account, "sharing", "in_turn", 0.0, label.ends)
    judged = lines()
    judge(Run(crossed=[early]), [again], judged)
    assert (judged["case"].recall, judged["containment"].recall) == (1.0, 0.0)


GOOD = '{"kind":"sign_in","time":"2026-03-02T08:00:00Z","account":"a","device":"d","network":"n"}'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "line 1, not JSON"),
        ('{"time":"2026-03-02T08:00:00Z"}', "line 1, field kind"),
        ('{"kind":"dance"}', "line 1, field kind"),
        (GOOD.replace('"a"', '""'), "line 1, field account"),
        (GOOD.replace("Z", ""), "line 1, field time: the time has no offset"),
        (GOOD.replace("2026-03-02T08:00:00Z", "soon"), "line 1, field time: not a time"),
        (GOOD.replace('"n"}', '"n","extra":1}'), "line 1, field extra"),
        (GOOD + "\n\n" + GOOD.replace("08:00", "07:00"), "line 3, field time: earlier"),
        ('{"kind":"provider","provider":"p","time_zone":"Mars/Olympus"}', "field time_zone: not a time zone"),
        ('{"kind":"provider","provider":"p","time_zone":"UTC","shifts":["7"]}', "field shifts.0: not a time of day"),
        ('{"kind":"network","network":"n","latitude":91}', "field latitude"),
        ('{"kind":"leave","account":"a","begins":"2026-03-02T08:00:00Z","ends":"2026-03-02T08:00:00Z"}', "field ends"),
        ('["sign_in"]', "line 1, field"),
    ],
)
def test_domain_10_a_wrong_line_is_named_with_its_field(tmp_path, text, told):
    file = tmp_path / "events.jsonl"
    file.write_text(text + "\n")
    with pytest.raises(reading.Unreadable) as refused:
        list(reading.events(file))
    assert told in refused.value.detail


def test_domain_10_files_say_what_the_simulator_made_and_are_judged_from_the_command_line(tmp_path):
    made = World(world(FIT[0], seed=8, accounts=16, days=24))
    events, labels = write(made, tmp_path)
    assert len(list(reading.events(events))) == len(list(World(world(FIT[0], seed=8, accounts=16, days=24)).events()))
    assert len(reading.labels(labels)) == len(made.labels)
    told = CliRunner().invoke(app, ["evaluate", str(events), "--labels", str(labels)])
    assert told.exit_code == 0, told.output
    assert "recall lasting" in told.output
    assert "containment by kind" in told.output
    as_json = CliRunner().invoke(app, ["evaluate", str(events), "--labels", str(labels), "--json", "--without", "pool"])
    figures = [json.loads(one) for one in as_json.output.splitlines()]
    assert {"sharing", "takeover"} == {one["figures"] for one in figures if "figures" in one}


def test_domain_10_an_unknown_guard_or_family_is_refused_by_name(tmp_path):
    for words in (
        ["evaluate", str(tmp_path / "none.jsonl"), "--without", "luck"],
        ["simulate", str(tmp_path), "--family", "x"],
    ):
        result = CliRunner().invoke(app, words)
        assert isinstance(result.exception, Refused)
        assert "There is no" in result.exception.detail


def test_domain_10_two_views_of_one_fact_corroborate_nothing() -> None:
    by = score.weights("takeover")
    far = {"strange_place": 2.5, "strange_journey": 2.3}
    assert score.band(far, by) == "notice", "a new device far away is one fact, however it is seen"
    assert score.band({"strange_place": 2.5, "strange_functions": 2.3}, by) == "case"
    assert score.band(far | {"strange_functions": 2.3}, by) == "containment"
    assert score.band(far, by, corroborated=False) == "containment"


def test_domain_10_one_kind_carries_a_case_only_where_it_was_seen_on_many_days() -> None:
    by = score.weights()
    for kind in score.ALONE:
        once, often = by.kinds[kind].gives(1.0), by.kinds[kind].gives(score.MANY_DAYS)
        assert not score.agreed({kind: once}, by.kinds)
        assert score.agreed({kind: often}, by.kinds)
    assert not score.agreed({"slow_code": by.kinds["slow_code"].gives(20.0)}, by.kinds), "slow codes have other causes"
    assert not score.agreed({"report": by.kinds["report"].gives(20.0)}, by.kinds), "who is reported is not yet found"


def test_domain_10_one_fact_seen_from_two_sides_counts_once_and_a_little() -> None:
    most = {"role_split": 3.0, "new_work": 4.0, "hours_split": 3.0, "slow_code": 3.0}
    kinds = {kind: score.Weight(one, 1.2) for kind, one in most.items()}
    alone = score.weighed({"role_split": 50.0}, kinds)
    both = score.weighed({"role_split": 50.0, "new_work": 50.0}, kinds)
    assert alone["role_split"] == pytest.approx(3.0)
    assert both == {"role_split": pytest.approx(3.0 * score.ECHO), "new_work": pytest.approx(4.0)}
    apart = score.weighed({"hours_split": 50.0, "slow_code": 50.0}, kinds)
    assert apart == {"hours_split": pytest.approx(3.0), "slow_code": pytest.approx(3.0)}, "two facts count in full"
    by = score.weights()
    assert score.band({"overlap": 4.0, "two_hands": 9.0}, by) == "notice"
    assert score.band({"role_split": 4.0, "slow_code": 9.0}, by) == "case"
    assert set(score.ONE_FACT) | set(score.ONE_FACT.values()) <= {*evidence.KINDS, *takeover.KINDS}
