"""Stopped clocks: what freezegun stops that must go on (stack.md 8)."""

import asyncio
import time
from datetime import UTC, datetime

import pytest
from freezegun import freeze_time
from pydantic import BaseModel, PydanticSchemaGenerationError

from idp import clock
from idp.apply.schema.people import Grant

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _loop_goes_on() -> bool:
    """Say whether an event loop's own time passes, which is what every wait in it rests on."""
    loop = asyncio.new_event_loop()
    try:
        before = loop.time()
        time.sleep(0.005)
        return loop.time() > before
    finally:
        loop.close()


def test_a_stopped_clock_stops_event_loops_unless_they_keep_the_real_one() -> None:
    with freeze_time(NOON):
        assert not _loop_goes_on()  # red: a sleep or a time-out in it never ends
    with freeze_time(NOON, real_asyncio=True):
        assert _loop_goes_on()
        assert clock.now() == NOON, "while ours stands still"


def test_a_model_of_dates_can_t_be_defined_while_the_clock_stands_and_ours_are_defined_before() -> None:
    with freeze_time(NOON):
        with pytest.raises(PydanticSchemaGenerationError):

            class Naive(BaseModel):  # red
                at: datetime

        made = Grant.model_validate({"person": "ana", "provider": "lake", "entitlement": "x", "until": "2026-12-01"})
        assert made.until is not None
