"""Every gate answers the same questions: in order, alone, without changing anything, without a file too many."""

import dataclasses
import importlib
import inspect
import pkgutil
from typing import Any

import pytest

from idp.entitlements import decision, gates, sources
from idp.entitlements.decision import ASKED_EACH_TIME, DECIDED_BY, decide, settled
from idp.entitlements.defaults import AUTHORITY, FROM_APPOINTMENT
from idp.entitlements.facts import Facts
from idp.entitlements.given import SOURCES
from idp.entitlements.question import AskingApp, Question
from idp.entitlements.sentences import SENTENCES
from idp.entitlements.standing import AppointmentRow, DelegationFacts, GrantRow, Organisation, Person
from idp.entitlements.verdict import Contact, Pass, Stop
from idp.entitlements.world import Function, World

AT = 1_795_262_400_000_000
FUNCTION = Function("message.send", "Messages", 3, "aal2", False, 1, True, "permit", (), ())
WORLD = World(
    epoch=1,
    functions={"message.send": FUNCTION},
    partners={},
    terms=(),
    channels=frozenset({"site"}),
    idle=(900_000_000,) * 3,
    fresh=900,
    service_line=Contact("Us"),
    affiliate=Contact("Them"),
)
NOTHING_THERE = Organisation("", False, False, False, None, None, False, False, False, (), {}, AT, AT + 1)
OPEN = Organisation("P", True, True, False, "pac", "agr", True, True, True, (None,), {}, AT, AT + 1)
NOBODY = Person(False, False, False, 0, False, False, False, False, None, None, {}, (), AT, AT + 1)


def _somebody(**more: Any) -> Person:
    grant = GrantRow("grt", "message.send", "allow", None, AT - 1, None, False)
    values: dict[str, Any] = {
        "exists": True,
        "active": True,
        "ceased": False,
        "ial": 2,
        "terms_accepted": True,
        "attested": True,
        "affiliated_once": True,
        "affiliated": True,
        "affiliation": "aff",
        "partner_id": None,
        "grants": {"message.send": [grant]},
        "appointments": (),
        "since": AT,
        "until": AT + 1,
    }
    return Person(**{**values, **more})


def facts(**more: Any) -> Facts:
    question = Question("acc", "message.send", "prv", AskingApp("app"), assume_authenticated=True)
    values: dict[str, Any] = {
        "question": question,
        "at": AT,
        "epoch": 1,
        "version": 1,
        "world": WORLD,
        "function": FUNCTION,
        "organisation": OPEN,
        "person": _somebody(),
        "session": None,
        "shared": None,
    }
    return Facts(**{**values, **more})


def test_there_is_one_file_for_each_gate_and_domain_4_s_order_is_the_list_s() -> None:
    files = {module.name for module in pkgutil.iter_modules(gates.__path__)}
    names = [gate.__name__ for gate in DECIDED_BY]
    assert names == [
        "account",
        "terms",
        "eligibility",
        "client_and_channel",
        "provider",
        "organisation",
        "affiliation",
        "granted",
        "delegation",
        "preconditions",
        "purpose",
        "routed",
        "strength",
    ]
    assert files == set(names)


@pytest.mark.parametrize("gate", DECIDED_BY, ids=lambda gate: gate.__name__)
def test_a_gate_lets_through_where_everything_is_in_force_and_changes_nothing(gate: Any) -> None:
    asked = facts()
    before = dataclasses.replace(asked)
    assert isinstance(gate(asked), Pass)
    assert asked == before
    assert gate(asked) == gate(asked)


@pytest.mark.parametrize("gate", DECIDED_BY[:7] + DECIDED_BY[7:8], ids=lambda gate: gate.__name__)
def test_a_gate_stops_where_nothing_is_known(gate: Any) -> None:
    question = Question("acc", "x", None, AskingApp("app", active=False))
    asked = facts(question=question, function=None, organisation=NOTHING_THERE, person=NOBODY)
    if gate.__name__ == "eligibility":
        asked = dataclasses.replace(asked, person=_somebody(attested=False))
    verdict = gate(asked)
    assert isinstance(verdict, Stop)
    assert verdict.reason in SENTENCES


def test_a_remembered_gate_looks_at_nothing_that_a_question_brings_with_it() -> None:
    for gate in DECIDED_BY:
        source = inspect.getsource(inspect.getmodule(gate))  # type: ignore[arg-type]
        looks = [
            name for name in ("app", "channel", "purpose", "record", "shared", "sid") if f"question.{name}" in source
        ]
        looks += [name for name in ("session", "shared", "replay") if f"facts.{name}" in source]
        assert gate in ASKED_EACH_TIME or not looks, (gate.__name__, looks)


def test_what_is_settled_answers_as_all_gates_do_whatever_the_question_brings_with_it() -> None:
    partner = _somebody(partner_id="ptr")
    people = (_somebody(), _somebody(attested=False), _somebody(grants={}), _somebody(ial=0), partner, NOBODY)
    for person in people:
        for open_to in (None, frozenset({"voice"})):
            base = facts(person=person, organisation=dataclasses.replace(OPEN, channels=open_to))
            for changed in (
                {},
                {"app": AskingApp("app", active=False)},
                {"channel": "voice"},
                {"purpose": "x"},
                {"record": {"location": "l"}},
                {"assume_authenticated": False},
                {"subject_type": "group"},
                {"resource_type": "claim"},
            ):
                asked = dataclasses.replace(base, question=dataclasses.replace(base.question, **changed))
                whole, quick = decide(asked), decide(asked, settled(asked))
                assert dataclasses.replace(quick, id=whole.id) == whole


def test_an_error_in_a_remembered_gate_is_a_no_and_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_facts: Facts) -> Pass:
        raise RuntimeError("a bug")

    monkeypatch.setattr(decision, "DECIDED_BY", (fails, *DECIDED_BY[1:]))
    asked = facts()
    answer = decide(asked, settled(asked))
    assert (answer.outcome, answer.reason) == ("deny", "no_answer")
    assert asked.person.settled == {}


def test_every_reason_a_gate_can_give_has_a_sentence() -> None:
    given = {"grant_suspended", "grant_expired", "entitlement_not_granted"}
    for module in pkgutil.iter_modules(gates.__path__):
        source = inspect.getsource(importlib.import_module(f"idp.entitlements.gates.{module.name}"))
        given |= {part.split('"')[0] for part in source.split('Stop("')[1:]}
    assert given | {"no_answer"} == set(SENTENCES)


def test_the_first_gate_that_stops_is_the_answer_and_an_error_in_a_gate_is_a_no() -> None:
    def stops(reason: str) -> Any:
        return lambda _facts: Stop(reason)

    def fails(_facts: Facts) -> Pass:
        raise RuntimeError("a bug")

    assert decide(facts(), (stops("terms_required"), stops("routed"))).reason == "terms_required"
    answer = decide(facts(), (fails, lambda _facts: Pass()))
    assert (answer.outcome, answer.reason, answer.because) == ("deny", "no_answer", ())
    assert decide(facts()).allowed


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__module__.rsplit(".", 1)[-1])
def test_a_source_gives_only_what_was_asked_for_and_nothing_that_was_revoked(source: Any) -> None:
    delegation = DelegationFacts("dlg", "ptr", None, frozenset({"message.send"}), frozenset({"medical"}), in_force=True)
    organisation = dataclasses.replace(OPEN, delegations={"dlg": delegation})
    keys = ("message.send", "remit.view", *FROM_APPOINTMENT)
    grants = {
        key: [
            GrantRow(f"{key}{named}{revoked}", key, "allow", named, AT - 1, None, revoked)
            for named in (None, "dlg", "dlg_unknown")
            for revoked in (False, True)
        ]
        for key in keys
    }
    appointments = (AppointmentRow("wam", AT - 1, None, False), AppointmentRow("wam_ended", AT - 1, None, True))
    person = _somebody(grants=grants, appointments=appointments)
    found = 0
    for key in keys:
        lines = source(person, organisation, ("acc", "prv", "medical"), key)
        found += len(lines)
        for line in lines:
            assert line.entitlement == key
            assert (line.subject, line.provider, line.line) == ("acc", "prv", "medical")
            assert not line.source_id.endswith("True")
            assert line.source_id != "wam_ended"
            assert line.delegation_id in (None, "dlg")
            if key in AUTHORITY:
                assert line.source_id == "wam"
    assert found


def test_every_source_file_is_asked() -> None:
    files = {module.name for module in pkgutil.iter_modules(sources.__path__)}
    assert files == {source.__module__.rsplit(".", 1)[-1] for source in SOURCES}
