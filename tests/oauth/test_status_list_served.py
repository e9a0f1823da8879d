"""How a status list is served: to anybody, from memory, signed, and never older than it says (issue 5)."""

import time
import tracemalloc
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import pytest
from freezegun import freeze_time
from jose import JWTError

from idp import clock
from idp.accounts import sessions
from idp.accounts.tables import Session
from idp.database import transaction
from idp.database.lane import Sql
from idp.errors import Unavailable
from idp.leaving import people
from idp.oauth.status_list import encoding, marking, order, publishing
from tests.cli.test_docs import HOME, blocks
from tests.oauth.listed import Reader, later, service_token, signed_in
from tests.oauth.world import World, claims_of

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
GRANTS = ["authorization_code", "refresh_token", "client_credentials"]
FORM = "application/statuslist+jwt"


@pytest.fixture
def reader(world: World) -> Reader:
    world.client("listed", token_status_list=True, grant_types=GRANTS)
    return Reader(world)


@pytest.fixture
def uri(world: World, reader: Reader) -> str:
    return str(claims_of(service_token(world, "listed"))["status"]["status_list"]["uri"])


@pytest.fixture
def statements(world: World, monkeypatch: pytest.MonkeyPatch) -> list[Sql]:
    asked: list[Sql] = []
    lane = world.service.lane
    fetch, write = lane.fetch, lane.write

    async def counted(sql: Sql, *values: Any) -> list[Any]:
        asked.append(sql)
        return await fetch(sql, *values)

    async def written(*values: Any, **named: Any) -> Any:
        asked.append(Sql("a write"))
        return await write(*values, **named)

    monkeypatch.setattr(lane, "fetch", counted)
    monkeypatch.setattr(lane, "write", written)
    return asked


def test_draft_status_list_a_list_is_an_address_that_names_itself_and_says_how_long_it_is_good(
    world: World, reader: Reader, uri: str
) -> None:
    claims, bits = reader.read(uri)
    issuer = world.service.settings.issuer
    assert uri.startswith(issuer + "/oauth/status-lists/")
    assert (claims["sub"], claims["iss"]) == (uri, issuer)
    assert claims["exp"] - claims["iat"] == 60
    assert claims["ttl"] == 10
    assert claims["status_list"]["bits"] == 1
    assert len(bits) == 8192
    about = world.http.get("/.well-known/oauth-authorization-server").json()
    assert about["status_list_aggregation_endpoint"] == claims["status_list"]["aggregation_uri"]
    every = world.http.get(urlsplit(about["status_list_aggregation_endpoint"]).path)
    assert every.headers["content-type"] == "application/json"
    assert every.json() == {"status_lists": [uri]}


def test_draft_status_list_anybody_may_read_it_and_caches_may_keep_it_for_five_seconds(
    world: World, reader: Reader, uri: str
) -> None:
    path = urlsplit(uri).path
    answer = world.http.get(path, headers={"origin": "https://elsewhere.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=5"
    assert "set-cookie" not in answer.headers
    head = world.http.head(path)
    assert (head.status_code, head.text) == (200, "")
    assert head.headers["etag"] == answer.headers["etag"]
    for known in (answer.headers["etag"], f'"x", W/{answer.headers["etag"]}'):
        unchanged = world.http.get(path, headers={"if-none-match": known})
        assert (unchanged.status_code, unchanged.text) == (304, "")
        assert unchanged.headers["cache-control"] == "public, max-age=5"
    asked = {"origin": "https://elsewhere.example", "access-control-request-method": "GET"}
    before = world.http.options(path, headers=asked | {"access-control-request-headers": "if-none-match"})
    assert before.status_code == 204
    assert "If-None-Match" in before.headers["access-control-allow-headers"]


WANTED = {
    FORM: 200,
    "application/*;q=0.5, text/html": 200,
    "*/*": 200,
    "": 200,
    "application/statuslist+cwt": 406,
    f"{FORM};q=0, */*": 406,
    "text/html": 406,
    f"{FORM};q=nan": 406,
}


def test_draft_status_list_one_form_is_spoken(world: World, reader: Reader, uri: str) -> None:
    for accept, status in WANTED.items():
        assert world.http.get(urlsplit(uri).path, headers={"accept": accept}).status_code == status, accept


NOT_THERE = {
    "{path}?time=1686925000": 501,
    "{path}?now=1": 422,
    "{path}x": 404,
    "/oauth/status-lists/AAAAAAAAAAAAAAAAAAAAAA": 404,
    "/oauth/status-lists/1": 404,
    "/oauth/status-lists/" + "9" * 400: 404,
    "/oauth/status-lists/..%2f..%2fetc%2fpasswd": 404,
    "/oauth/status-lists/%00": 400,
    "/oauth/status-lists/" + "\N{ARABIC-INDIC DIGIT ONE}" * 22: 404,
}


def test_status_list_what_is_not_there_is_a_4xx_and_the_past_is_not_told(
    world: World, reader: Reader, uri: str
) -> None:
    for path, status in NOT_THERE.items():
        answer = world.http.get(path.format(path=urlsplit(uri).path))
        assert answer.status_code == status, (path, answer.text)


def test_status_list_polling_asks_the_database_once_a_second_and_packs_nothing_while_nothing_changes(
    world: World, reader: Reader, uri: str, statements: list[Sql], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed: list[int] = []
    pack = publishing.packed
    monkeypatch.setattr(publishing, "packed", lambda *values: packed.append(1) or pack(*values))
    first = reader.fetch(uri)
    statements.clear()
    assert [world.http.get(urlsplit(uri).path).headers["etag"] for _ in range(20)] == [first.headers["etag"]] * 20
    assert statements == []
    assert {reader.fetch(uri).headers["etag"] for _ in range(20)} == {first.headers["etag"]}
    assert Counter(statements)[publishing._ONE] == 20
    assert len(statements) <= 22, "nothing else is read, and nothing written"
    assert packed == [1]
    with freeze_time(clock.now() + timedelta(seconds=publishing.TTL)):
        later = reader.fetch(uri)
    assert later.headers["etag"] != first.headers["etag"], "a copy is signed anew before it is old"


def test_status_list_a_copy_that_cannot_be_proved_current_is_not_given_out(
    world: World, reader: Reader, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = signed_in(world, "Ana")
    assert not reader.revoked(person.access)
    before = clock.now()

    async def away(*values: Any) -> list[Any]:
        raise Unavailable("The database did not answer.")

    with monkeypatch.context() as broken:
        broken.setattr(world.service.lane, "fetch", away)
        assert reader.fetch(uri).status_code == 503
    with transaction(world.database) as db:
        people.suspend(db, person.account, because="investigation", by="operator")
    claims, _ = reader.read(uri)
    assert claims["iat"] >= int(before.timestamp())
    assert reader.revoked(person.access)


def test_status_list_a_thousand_revocations_nobody_asked_about_are_caught_up_with_in_flat_memory(
    world: World, reader: Reader
) -> None:
    person = signed_in(world, "Ana")
    now = clock.micros(clock.now())
    with transaction(world.database) as db:
        connection = db.connection().connection.driver_connection
        connection.executemany(  # type: ignore[union-attr]
            "INSERT INTO revocation (seq, kind, account_id, reason, at, created_at) "
            "VALUES (?, 'session_ended', ?, '', ?, ?)",
            [(10_000 + n, f"acc_{n}", now - (5000 - n) * 10**6, now) for n in range(5000)],
        )
        connection.execute("UPDATE revocation_counter SET seq = 15000")  # type: ignore[union-attr]
    with transaction(world.database) as db:
        found = db.get(Session, person.session)
        assert found is not None
        sessions.end(db, found, because="signed_out")
    tracemalloc.start()
    began = time.process_time()
    assert reader.revoked(person.access)
    used, (_, most) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8_000_000
    assert used < 1.0
    settled = "SELECT p.seq = c.seq FROM status_place p, revocation_counter c"
    assert world.run(settled) == [(0,)], "for some seconds it is looked at again"
    later(world, marking.SETTLES)
    assert reader.revoked(person.access)
    assert world.run(settled) == [(1,)]


def test_status_list_places_are_neither_in_order_nor_decoys_and_decoys_come_and_go(
    world: World, reader: Reader
) -> None:
    places = [claims_of(service_token(world, "listed"))["status"]["status_list"]["idx"] for _ in range(64)]
    assert sorted(places) != places
    assert max(places) - min(places) > order.SIZE // 2, "a block lies scattered over the list"
    [(seed,)] = world.run("SELECT seed FROM status_list")
    shown = [set(order.decoys(seed, at)) for at in range(1_800_000_000, 1_800_003_600, 30)]
    assert all(10 < len(one) < 60 for one in shown)
    assert not set(places) & set().union(*shown)
    turns = [len(one ^ two) for one, two in pairwise(shown)]
    assert sum(1 for n in turns if n) > len(turns) / 2, "they turn one by one, as revocations come, not all at once"
    assert max(turns) < 20
    every = order.order(seed)
    assert sorted(every) == list(range(order.SIZE))
    assert every != order.order(b"x" * 32)


VECTOR = (
    "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogEAAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAAA7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAA"
    "AAAAAAAAKjDMAQAAAACAZC8L2AEb"
)
"""draft-ietf-oauth-status-list, test vectors, 1-bit list of 2^20 places."""
MARKED = (0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345)


def test_draft_status_list_the_draft_s_own_vectors_come_out(world: World) -> None:
    assert encoding.packed(16, (0, 3, 4, 5, 7, 8, 9, 13, 15)) == "eNrbuRgAAhcBXQ"
    assert encoding.packed(1 << 20, MARKED) == VECTOR


def test_docs_the_example_for_apps_refuses_a_token_once_it_is_revoked(world: World, reader: Reader) -> None:
    [example] = [one for one in blocks(HOME / "docs" / "apps.md", "python") if "status_list" in one]
    known: dict[str, Any] = {}
    exec(compile(example, "apps.md", "exec"), known)  # noqa: S102 - our own page
    person = signed_in(world, "Ana")
    said = claims_of(person.access)

    def get(uri: str) -> str:
        return str(reader.fetch(uri).text)

    assert not known["revoked"](said, get, reader.keys)
    with transaction(world.database) as db:
        people.suspend(db, person.account, because="investigation", by="operator")
    assert known["revoked"](said, get, reader.keys)
    other = str(reader.fetch(said["status"]["status_list"]["uri"]).text)
    said["status"]["status_list"]["uri"] += "x"
    with pytest.raises(JWTError):
        known["revoked"](said, lambda _: other, reader.keys)
