"""The stock enforcer with everybody's grants, and ours with the asker's alone, say the same to generated requests."""

import os
from random import Random

import casbin
import pytest

from idp.entitlements import enforcer
from idp.entitlements.enforcer import NEVER, Line, rule

LONG = int(os.environ.get("IDP_LONG_REQUESTS", "1000000"))
SHORT = 2_500
AT = 1_795_262_400_000_000
HOUR = 3_600_000_000
PEOPLE = ("acc_ana", "acc_bo", "acc_ana, admin", "*", "admin", "acc_ana ")
PLACES = ("prv_lake", "prv_other", "prv_lake, medical")
LINES = ("medical", "dental")
KEYS = ("message.send", "remit.view", "message.*", "message.sen")
ASKED = 50
"""Requests of one world."""


def _lines(dice: Random) -> list[Line]:
    made = []
    for n in range(dice.randrange(14)):
        starts = AT + dice.choice((-2, -1, 0, 1)) * HOUR
        ends = dice.choice((None, None, starts + HOUR, starts + 2 * HOUR, starts + 1))
        place = (dice.choice(PEOPLE), dice.choice(PLACES), dice.choice(LINES))
        effect = "deny" if dice.random() < 0.15 else "allow"
        made.append(Line(f"grt_{n}", *place, dice.choice(KEYS), effect, starts, ends))
    return made


def _row(one: Line) -> list[str | int]:
    ends = NEVER if one.expires_at is None else one.expires_at
    return [one.subject, one.provider, one.line, one.entitlement, one.not_before, ends, one.effect]


def _hold(stock: casbin.Enforcer, lines: list[Line]) -> None:
    stock.get_model()["p"]["p"].policy[:] = [_row(one) for one in lines]


@pytest.mark.parametrize("wanted", [SHORT, pytest.param(LONG, marks=pytest.mark.faults)])
def test_stock_pycasbin_and_the_asker_s_own_lines_agree(wanted: int) -> None:
    dice = Random(wanted)  # noqa: S311 - repeatable worlds
    stock = casbin.Enforcer(str(enforcer.MODEL))
    seen = {True: 0, False: 0}
    while sum(seen.values()) < wanted:
        lines = _lines(dice)
        _hold(stock, lines)
        for _ in range(ASKED):
            known = dice.choice(lines) if lines and dice.random() < 0.6 else None
            place = (dice.choice(PEOPLE), dice.choice(PLACES), dice.choice(LINES))
            key = dice.choice(KEYS)
            if known is not None:
                place, key = (known.subject, known.provider, known.line), known.entitlement
            at = AT + dice.choice((-HOUR, -1, 0, 1, HOUR))
            mine = [one for one in lines if (one.subject, one.provider, one.line) == place and one.entitlement == key]
            said = rule(place, key, at, mine)
            # An empty policy is the stock enforcer's trap 4: it looks at one row of empty texts.
            expected, because = stock.enforce_ex(*place, key, at) if lines else (False, [])
            assert said.allowed is expected, (place, key, at, lines)
            assert (_row(said.line) if said.line is not None else []) == because, (place, key, at, lines)
            if said.allowed:
                assert said.line in mine
            seen[said.allowed] += 1
    assert min(seen.values()) > wanted // 20
