"""The engine against a plain second reading, on generated worlds, with the memo at moving moments."""

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp import clock
from idp.accounts.assurance import AAL1, AAL2
from idp.database.lane import Sql, Work
from idp.entitlements import before as read_before
from idp.entitlements import facts as gathering
from idp.entitlements import standing, world
from idp.entitlements.before import before
from idp.entitlements.decision import decide
from idp.entitlements.memo import Memo
from idp.entitlements.question import AskingApp, Question
from tests.entitlements import oracle

MINUTE = 60_000_000
START = 1_795_262_400_000_000
KEYS = {
    "plain": {"np": True, "needs": [], "purposes": [], "shared": "permit", "fresh": False, "ial": 1},
    "claim": {
        "np": True,
        "needs": [],
        "purposes": ["CLAIM_REDUCTION_REVIEW", "PROSPECTIVE_SERVICE"],
        "shared": "TPA",
        "fresh": False,
        "ial": 1,
    },
    "money": {"np": False, "needs": ["licence"], "purposes": [], "shared": "TPA", "fresh": True, "ial": 2},
    "roster": {"np": True, "needs": ["capitation"], "purposes": [], "shared": "none", "fresh": False, "ial": 1},
}

# A few moments around which everything turns, so that edges meet often.
moments = st.integers(-3, 3).map(lambda n: START + n * 5 * MINUTE)
mostly = st.sampled_from([True, True, True, True, True, True, False])


@st.composite
def spans(draw: Any, **more: Any) -> dict[str, Any]:
    starts = draw(st.sampled_from([START - 40 * MINUTE] * 5 + [START, START + 5 * MINUTE]))
    ends = draw(st.sampled_from([None, None, None, START + 5 * MINUTE, START + 10 * MINUTE, START]))
    if ends is not None and ends <= starts:
        ends = starts + 5 * MINUTE
    ended = draw(st.sampled_from([None] * 6 + [START - 5 * MINUTE]))
    return {"starts": starts, "ends": ends, "ended": ended, **{name: draw(value) for name, value in more.items()}}


def _spans(most: int = 2, **more: Any) -> Any:
    return st.lists(spans(**more), min_size=1 if most > 1 else 0, max_size=most)


partners = st.sampled_from([None, None, None, "ptr_a", "ptr_b", "ptr_tpa"])
worlds = st.fixed_dictionaries(
    {
        "account": st.one_of(
            *[
                st.fixed_dictionaries(
                    {
                        "status": st.sampled_from(["active"] * 8 + ["ceased", "suspended"]),
                        "ial": st.sampled_from([1, 2, 2]),
                    }
                )
            ]
            * 8,
            st.none(),
        ),
        "terms": st.lists(
            st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(["site", "general"]),
                    "effective": st.sampled_from([START - 60 * MINUTE, START - 60 * MINUTE, START + 5 * MINUTE]),
                    "accepted": st.sampled_from([START - 30 * MINUTE] * 6 + [START + 5 * MINUTE, None]),
                }
            ),
            max_size=3,
        ),
        "attestations": _spans(),
        "channels": st.sampled_from([["site", "mobile"]] * 6 + [["mobile"]]),
        "provider": st.fixed_dictionaries(
            {
                "status": st.sampled_from(["active"] * 6 + ["suspended"]),
                "kind": st.sampled_from(["practice", "practice", "insurer"]),
                "capitation": st.booleans(),
            }
        ),
        "portals": _spans(),
        "agreements": _spans(),
        "participations": _spans(),
        "affiliations": _spans(1, partner=partners),
        "grants": _spans(
            4,
            key=st.sampled_from([*KEYS, "plain", "claim", "money"]),
            effect=st.sampled_from(["allow"] * 5 + ["deny"]),
            delegation=st.sampled_from([None, None, None, "d1", "d2"]),
        ),
        "delegations": st.fixed_dictionaries(
            {
                ref: spans(
                    status=st.sampled_from(["active"] * 5 + ["suspended"]),
                    partner=st.sampled_from(["ptr_a", "ptr_b", "ptr_tpa"]),
                    keys=st.lists(st.sampled_from(list(KEYS)), min_size=1, max_size=4, unique=True),
                )
                for ref in ("d1", "d2")
            }
        ),
        "partners": st.fixed_dictionaries(
            {
                ref: st.sampled_from(["active", "active", "review_overdue", "suspended"])
                for ref in ("ptr_a", "ptr_b", "ptr_tpa")
            }
        ),
        "licences": st.lists(spans(services=st.sampled_from([None, ["lab"], ["imaging"]])), max_size=2),
        "shared": spans(owner=st.sampled_from([None, None, "partner", "insurer"])),
        "session": st.fixed_dictionaries(
            {
                "acr": st.sampled_from([2, 2, 2, 1]),
                "auth": st.sampled_from([START - 20 * MINUTE] * 4 + [START]),
                "expires": st.sampled_from([START + 600 * MINUTE] * 4 + [START + 5 * MINUTE]),
                "seen": moments,
                "factor": st.one_of(moments, moments, st.none()),
                "ended": st.sampled_from([None] * 5 + [START]),
                "shut": st.sampled_from([None] * 9 + [START]),
            }
        ),
    }
)
questions = st.fixed_dictionaries(
    {
        "key": st.sampled_from([*KEYS, "plain", "claim", "claim", "unknown"]),
        "line": st.sampled_from(["medical"] * 7 + ["dental"]),
        "app_lines": st.just(["medical"]),
        "channel": st.just("site"),
        "purpose": st.sampled_from(["CLAIM_REDUCTION_REVIEW", "PROSPECTIVE_SERVICE", "PROSPECTIVE_SERVICE", None, "X"]),
        "record": st.fixed_dictionaries(
            {},
            optional={
                "state": st.sampled_from(["denied", "reduced", "denied", "paid"]),
                "billing_provider": st.sampled_from(["prv", "prv", "prv_other"]),
                "member_active": st.sampled_from([True, True, False]),
                "service": st.sampled_from(["lab", "imaging"]),
                "shared_account": st.sampled_from([None, None, None, "7001", "9999"]),
            },
        ),
    }
)


class Storage:
    """Answers the engine's statements from a small world, as a database would."""

    def __init__(self, w: dict[str, Any]) -> None:
        self.w = w
        self.reads = 0

    def run(self, work: Work) -> Any:
        answer: list[Any] | None = None
        while True:
            try:
                step = work.send(answer) if answer is not None else next(work)
            except StopIteration as done:
                return done.value
            assert isinstance(step, tuple)
            self.reads += 1
            answer = self._rows(step[0])

    def _rows(self, sql: Sql) -> list[Any]:
        w, s = self.w, self.w["session"]
        if sql is read_before._BEFORE:
            acr = AAL2 if s["acr"] == 2 else AAL1
            return [(1, 1, "acc", acr, s["auth"], s["factor"], s["seen"], s["expires"], s["ended"], None, s["shut"])]
        if sql is gathering.SHARED:
            t = w["shared"]
            return (
                [("ptr_tpa", t["starts"], _end(t), t["owner"], None, None, None, None)] if self.number == "7001" else []
            )
        if sql is world.CATALOGUE:
            return [
                (k, k, 3, "aal2", f["fresh"], f["ial"], f["np"], f["shared"], _json(f["purposes"]), _json(f["needs"]))
                for k, f in KEYS.items()
            ]
        if sql is world._SETTINGS:
            return [(orjson.dumps({"channels": w["channels"]}).decode(),)]
        if sql is world._TERMS:
            return [(t["kind"], f"t{n}", t["effective"], str(n)) for n, t in enumerate(w["terms"])]
        if sql is world.PARTNERS:
            return [(ref, status, ref, "", "", "") for ref, status in w["partners"].items()]
        return self._organisation() if sql is standing.ORGANISATION else self._person()

    number: str | None = None

    def _organisation(self) -> list[Any]:
        w, none = self.w, None
        p = w["provider"]
        pay = "capitation" if p["capitation"] else "fee_for_service"
        rows: list[Any] = [("provider", "prv", "Lakeside", p["status"], p["kind"], pay, none, none, none, none, none)]
        for kind in ("portal", "agreement", "participation"):
            rows += [
                (
                    kind,
                    f"{kind}{n}",
                    none,
                    none,
                    none,
                    none,
                    none,
                    x["starts"],
                    _end(x) if kind != "portal" else x["ends"],
                    x["ended"],
                    none,
                )
                for n, x in enumerate(w[kind + "s"])
            ]
        rows += [
            (
                "delegation",
                ref,
                d["partner"],
                none,
                _json(d["keys"]),
                '["medical"]',
                d["status"],
                d["starts"],
                d["ends"],
                d["ended"],
                none,
            )
            for ref, d in w["delegations"].items()
        ]
        rows += [
            (
                "credential",
                f"c{n}",
                "licence",
                x["services"] and _json(x["services"]),
                "1234567893",
                none,
                none,
                x["starts"],
                _end(x),
                0,
                none,
            )
            for n, x in enumerate(w["licences"])
        ]
        return [(*row, none) for row in rows]  # no delegation names places

    def _person(self) -> list[Any]:
        w, none, a = self.w, None, self.w["account"]
        rows: list[Any] = [] if a is None else [("account", "acc", a["status"], none, none, a["ial"], none, none)]
        rows += [
            ("terms", f"t{n}", none, none, none, t["accepted"], none, none)
            for n, t in enumerate(w["terms"])
            if t["accepted"] is not None
        ]
        rows += [
            ("attestation", f"at{n}", none, none, none, x["starts"], _end(x), none)
            for n, x in enumerate(w["attestations"])
        ]
        rows += [
            ("affiliation", f"af{n}", x["partner"], none, none, x["starts"], x["ends"], x["ended"])
            for n, x in enumerate(w["affiliations"])
        ]
        rows += [
            ("grant", f"g{n}", g["key"], g["effect"], g["delegation"], g["starts"], g["ends"], g["ended"])
            for n, g in enumerate(w["grants"])
        ]
        return rows


def _end(row: dict[str, Any]) -> int | None:
    """Fold an early end into the interval, for tables that have no such column."""
    return row["starts"] if row["ended"] is not None else row["ends"]


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _asked(q: dict[str, Any]) -> Question:
    return Question(
        account_id="acc",
        entitlement=q["key"],
        provider_id="prv",
        app=AskingApp("claims", lines=tuple(q["app_lines"])),
        line=q["line"],
        sid="ses",
        purpose=q["purpose"],
        record=q["record"],
    )


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(w=worlds, asked=st.lists(questions, min_size=1, max_size=3), data=st.data())
def test_invariants_4_to_8_the_engine_agrees_with_a_plain_reading_at_every_moment(
    w: dict[str, Any], asked: list[dict[str, Any]], data: st.DataObject
) -> None:
    storage, memo = Storage(w), Memo()
    times = sorted(data.draw(st.lists(moments, min_size=1, max_size=4)))
    with pytest.MonkeyPatch.context() as patch:
        for at in times:
            patch.setattr(clock, "now", lambda at=at: clock.from_micros(at))
            for q in asked:
                storage.number = q["record"].get("shared_account")
                question = _asked(q)
                known = storage.run(before("acc", "ses"))
                answer = decide(storage.run(gathering.gather(question, known, memo)))
                assert (answer.outcome, answer.reason) == oracle.decide({**w, "catalogue": KEYS}, q, at), (
                    at - START
                ) // MINUTE
