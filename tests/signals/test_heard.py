"""The proof page's facts: app by app, by which road, when, and what an app that hears nothing may do (SE-3)."""

from datetime import datetime, timedelta

from idp import clock
from idp.database import reading, transaction
from idp.signals.stream_tables import FeedReceipt
from idp.transmitter import heard
from tests.signals.receivers import Telling, telling

__all__ = ["telling"]


def _asked(telling: Telling, client: str, reader: str, seq: int, at: datetime) -> None:
    with transaction(telling.database) as db:
        db.add(FeedReceipt(client_id=client, reader=reader, seq=seq, at=at))


def test_se3_each_app_is_shown_with_the_road_and_the_moment_it_heard(telling: Telling) -> None:
    pushed = telling.stream(push=True)["stream_id"]
    telling.stream()  # fetched; which of two streams was made first is nobody's promise
    before = clock.now() - timedelta(minutes=5)
    for reader in ("one", "two"):
        _asked(telling, "claims", reader, 0, before)
    _asked(telling, "other", "gone", 0, before)
    telling.announce()
    telling.send(pushed)
    with reading(telling.database) as db:
        found = heard.revoked(db, 1, 1)
    _asked(telling, "claims", "one", 1, found[0].at + timedelta(milliseconds=120))
    _asked(telling, "claims", "two", 3, found[0].at + timedelta(milliseconds=240))
    with reading(telling.database) as db:
        told = heard.who_heard(db, found)
    told = [*told[:3], *sorted(told[3:], key=lambda by: by.way, reverse=True)]
    assert [(by.app, by.way, by.status, by.note) for by in told] == [
        ("claims", "Signed feed", "heard", "2 processes"),
        ("other", "Signed feed", "lease_ended", "1 process"),
        ("claims", "Sign-out message", "waiting", ""),
        ("claims", "Security event, sent", "heard", "session-revoked"),
        ("claims", "Security event, fetched", "waiting", "session-revoked"),
    ]
    assert told[0].after == timedelta(milliseconds=240), "the last of its processes"
    assert told[3].at is not None
    assert found[0].kind == "session_ended"


def test_se3_an_app_that_could_not_be_told_is_shown_with_what_was_wrong(telling: Telling) -> None:
    stream = telling.stream(push=True)["stream_id"]
    telling.announce("account_ended")
    telling.receiver.status = 503
    telling.sender.one(stream)
    with reading(telling.database) as db:
        [told] = heard.who_heard(db, heard.revoked(db, 1, 1))
        assert heard.who_heard(db, heard.revoked(db, 7, 9)) == []
        assert [one.seq for one in heard.newest(db, None, 5)] == [1]
    assert (told.status, told.note) == ("waiting", "account-disabled, 1 tries, status_503")
