"""Invariants 4 to 8 of domain.md under any sequence of acts, by anybody, beside a model of a few sets.

The model says who manages, who holds what, and whether the portal is open; every act must be refused or done as it
says, and after each one the very next answers must be its answers.
"""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from idp import clock, entropy
from idp.database import Database, transaction
from idp.entitlements import asking, grants
from idp.entitlements.question import OURSELVES, Question
from idp.entitlements.tables import Appointment
from idp.errors import Refused
from idp.providers import organisations
from idp.wam import appointments, authority, granting, removing, succession
from tests.wam.world import LINE, World

PEOPLE = ("wes", "mia", "ana", "finn", "otto", "hana")
HERE = {"wes", "mia", "ana", "finn"}
PROVEN = {"wes", "mia", "finn", "otto"}
KEYS = ("remit.view", "fee.view", "claim.status.view", "eft.manage", "access.manage")
OPEN_TO_GIVE = KEYS[:3]
who = st.sampled_from(PEOPLE)
acts = st.one_of(
    st.tuples(st.just("give"), who, who, st.sampled_from(KEYS)),
    st.tuples(st.just("give"), st.just("wes"), who, st.sampled_from(OPEN_TO_GIVE)),
    st.tuples(st.just("take"), who, who, st.sampled_from(OPEN_TO_GIVE)),
    st.tuples(st.just("appoint"), who, who, st.none()),
    st.tuples(st.just("unappoint"), who, who, st.none()),
    st.tuples(st.sampled_from(["close", "open"]), st.just("wes"), st.just("wes"), st.none()),
)
Act = tuple[str, str, str, Any]


class Model:
    """What should be so at Lakeside Clinic."""

    def __init__(self) -> None:
        self.managers = {"wes", "mia"}
        self.held: dict[str, set[str]] = {name: set() for name in PEOPLE}
        self.open = True

    def takes(self, act: Act) -> bool:
        """Say whether an act may be done, and do it here."""
        what, by, name, key = act
        if what in ("close", "open"):
            changes = self.open == (what == "close")
            self.open = what == "open"
            return changes
        if by not in self.managers or name not in HERE:
            return False
        if what == "give":
            if by == name or key not in OPEN_TO_GIVE or not self.open or key in self.held[name]:
                return False
            self.held[name].add(key)
        elif what == "take":
            if key not in self.held[name]:
                return False
            self.held[name].discard(key)
        elif what == "appoint":
            if name in self.managers or name not in PROVEN:
                return False
            self.managers.add(name)
        else:
            if name not in self.managers or len(self.managers) == 1:
                return False
            self.managers.discard(name)
        return True

    def may(self, name: str, key: str) -> bool:
        """Invariant 4: both gates."""
        authority_of = key == "access.manage" and name in self.managers
        return self.open and (key in self.held[name] or authority_of)


class Practice:
    """The product, asked to do the same."""

    def __init__(self, world: World) -> None:
        self.world = world

    def does(self, act: Act) -> bool:
        try:
            with transaction(self.world.database) as db:
                return self._do(db, *act)
        except Refused:
            return False

    def _do(self, db: Any, what: str, by_name: str, name: str, key: str | None) -> bool:
        by, account, here = self.world.people[by_name], self.world.people[name], self.world.lakeside
        form = entropy.token()
        if what == "close":
            return organisations.close_portal(db, here, LINE, by="operator", because="contract") > 0
        if what == "open":
            if organisations.has_line(db, here, LINE, clock.now()):
                return False
            organisations.open_portal(db, here, LINE, by="operator")
        elif what == "give":
            rows = authority.not_ended(db, here, account, LINE)
            held = {row.entitlement for row in rows}
            wish, _ = granting.wish(
                db, here, LINE, functions=[*held, str(key)], bundle=None, starts_at=None, ends_at=None
            )
            granting.apply(
                db, by=by, provider_id=here, account_id=account, line=LINE, wish=wish,
                seen=granting.seen_of(rows), reason="needs it", form_id=form,
            )  # fmt: skip
            return key not in held and key != "eft.manage"  # what needs two is only held for the second
        elif what == "take":
            removing.remove(
                db, by=by, provider_id=here, account_id=account, function=key, lines=[LINE], reason="role_change",
                note="", left_at=None, form_id=form,
            )  # fmt: skip
        elif what == "appoint":
            succession.appoint(db, by=by, provider_id=here, line=LINE, account_id=account)
        else:
            rows_of = appointments.in_force(db, here, LINE, clock.now())
            found = next((row.id for row in rows_of if row.account_id == account), "apt_none")
            succession.end(db, by=by, provider_id=here, appointment_id=found, reason="other")
        return True

    def check(self, model: Model, asked: set[str]) -> None:
        """Compare everybody's rows, and the very next answers about some people, with the model."""
        names = {account: name for name, account in self.world.people.items()}
        with transaction(self.world.database) as db:
            rows = db.exec(select(Appointment).where(col(Appointment.ended_at).is_(None))).all()
            managing = {names[row.account_id] for row in rows if row.provider_id == self.world.lakeside}
            assert managing == model.managers, "7: never none, and who was named"
            assert managing
            for name in PEOPLE:
                live = grants.live(db, self.world.people[name], self.world.lakeside, clock.now())
                of_ours = {row.entitlement for row in live if row.effect == "allow" and row.entitlement in KEYS}
                assert of_ours == model.held[name], "6: nothing that nobody with authority gave"
                for key in KEYS if name in asked else ():
                    answer = self._ask(db, name, key, self.world.lakeside)
                    open_ = answer.outcome != "deny" or answer.reason in ("purpose_required", "precondition_failed")
                    assert open_ == model.may(name, key), f"4, 8: {name} {key} {answer.reason}"
                    assert key != "claim.status.view" or answer.outcome != "permit", "5: no purpose"
                assert name not in asked or self._ask(db, name, "remit.view", None).reason == "provider_required"

    def _ask(self, db: Any, name: str, key: str, provider: str | None) -> Any:
        return asking.decide_in_session(
            db,
            Question(
                account_id=self.world.people[name], entitlement=key, provider_id=provider, app=OURSELVES, line=LINE,
                sid=None,
            ),
        )  # fmt: skip


def walk(world: World, database: Database, examples: int) -> set[bool]:
    """Do acts; return whether some were done and some refused."""
    seen: set[bool] = set()
    model, practice = Model(), Practice(world)
    with transaction(database) as db:  # they begin with nothing of what is looked at
        for row in authority.not_ended(db, world.lakeside, world.finn, LINE):
            grants.end(db, row, by="operator", reason="begin")

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(some=st.lists(acts, min_size=4, max_size=12))
    def goes_on(some: list[Act]) -> None:
        for act in some:
            expected = model.takes(act)
            assert practice.does(act) == expected, act
            seen.add(expected)
        practice.check(model, {name for _, _, name, _ in some[-2:]})

    goes_on()
    return seen


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_invariants_4_to_8_hold_after_any_acts_of_anybody(world: World, database: Database) -> None:
    assert walk(world, database, 8) == {True, False}


@pytest.mark.faults
def test_invariants_4_to_8_hold_after_thousands_of_acts_on_both_databases(world: World, database: Database) -> None:
    assert walk(world, database, 400) == {True, False}
