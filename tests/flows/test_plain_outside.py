"""The way to an organization and back in the lane does what the pages' lane does, and leaves it what is not plain."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text
from starlette.testclient import TestClient

from idp.accounts import login, people
from idp.app import create_app
from idp.database import transaction
from idp.federation import flow as federation_flow
from idp.federation import plain
from idp.outbound import Outbound
from idp.provisioning import people as provisioned
from idp.web import plain_outside
from tests.contract.test_connectors import HOSTILE_CLAIMS, leave, sent_back
from tests.fakes.upstreams.oidc import Wire
from tests.flows import test_plain_sign_in
from tests.flows.test_plain_sign_in import RECORD, rows
from tests.flows.test_ru3_sign_in_through_an_affiliate import through_evergreen
from tests.sign_in_world import PASSWORD, World, link_ana, sign_in

SESSION = test_plain_sign_in.SESSION.replace("factor_time,", "factor_time = auth_time, factor_time IS NULL,")
LOGIN = "SELECT facts, facts_at IS NULL, last_used_at IS NULL FROM login WHERE upstream_id IS NOT NULL"
TRY = "SELECT upstream_id, purpose, max_age, spent_at IS NULL, expires_at - created_at FROM pending_login"


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count which lane sent somebody away, and which opened a session."""
    taken = {"left": 0, "left by pages": 0, "back": 0, "back by pages": 0}

    def counted(module: Any, name: str, word: str) -> None:
        real = getattr(module, name)

        def one(*given: Any, **more: Any) -> Any:
            taken[word] += 1
            return real(*given, **more)

        monkeypatch.setattr(module, name, one)

    counted(federation_flow, "trying", "left")
    counted(federation_flow, "begin", "left by pages")
    counted(plain, "opening", "back")
    counted(login, "by_assertion", "back by pages")
    return taken


@contextmanager
def by_pages() -> Iterator[None]:
    """Close the lane's ways."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_outside, "_WAYS", {})
        yield


def forgotten(world: World, *tables: str) -> int:
    """Begin again with an empty table of each; return where the log ends."""
    with transaction(world.database) as db:
        for table in ("session", "known_device", "device", "pending_login", "flow", *tables):
            db.execute(text(f"DELETE FROM {table}"))
        db.execute(text("UPDATE login SET last_used_at = NULL, facts = NULL, facts_at = NULL"))
        return int(db.execute(text("SELECT max(seq) FROM audit_record")).scalar_one())


@pytest.mark.parametrize("who", ["ana", "wes"])
def test_both_lanes_write_the_same(world: World, lanes: dict[str, int], who: str) -> None:
    link_ana(world)
    with transaction(world.database) as db:
        db.execute(text("UPDATE login SET account_id = :a WHERE upstream_id IS NOT NULL"), {"a": world.ids()[who]})
    through_evergreen(world.browser())  # now the organization's metadata are known
    for acr in ("unknown", "mfa"):
        world.evergreen.claims["acr"] = acr
        seen = []
        for ways in ("lane", "pages"):
            start = forgotten(world, "outbox")
            browser = world.browser()
            if ways == "pages":
                with by_pages():
                    through_evergreen(browser)
                    through_evergreen(world.browser())
            else:
                through_evergreen(browser)
                through_evergreen(world.browser())
            said = [row for row in rows(world, RECORD.format(start)) if not row[0].startswith("audit.")]
            counts = [world.count("device"), world.count("known_device"), world.count("flow", "session_id IS NOT NULL")]
            found = (rows(world, SESSION), rows(world, LOGIN), rows(world, TRY), sorted(world.mails()), counts)
            seen.append((browser.path, said, *found))
        assert seen[0] == seen[1]
        assert len(seen[0][2]) == 2
        assert "new_device" in seen[0][5], "the second browser was new"
    assert lanes["back"] == 1 + 4
    assert lanes["back by pages"] == 4


def test_what_is_not_plain_is_left_to_the_pages(world: World, lanes: dict[str, int]) -> None:
    assert through_evergreen(world.browser()).path == "/link", "nobody has this login"
    link_ana(world)
    there = (
        sign_in(world.browser()).get("/sign-in?other=true").click("Find your organization").click("Evergreen Billing")
    )
    assert there.path == "/account", "somebody was signed in on this browser"
    with transaction(world.database) as db:
        people.suspend(db, world.ids()["ana"], because="test", by="operator")
    assert through_evergreen(world.browser()).status == 403
    with transaction(world.database) as db:
        db.execute(text("UPDATE account SET status = 'active'"))
        db.execute(text("UPDATE login SET held_at = 1 WHERE upstream_id IS NOT NULL"))
    assert through_evergreen(world.browser()).status == 403
    assert (lanes["back"], lanes["back by pages"]) == (0, 4)
    assert (lanes["left"], lanes["left by pages"]) == (5, 1), "only the first asked for the metadata"
    with transaction(world.database) as db:
        db.execute(text("UPDATE login SET held_at = NULL"))
    assert through_evergreen(world.browser()).path == "/account"
    assert lanes["back"] == 1


def test_security_31_the_lane_sends_nobody_away_who_may_not_leave(world: World, lanes: dict[str, int]) -> None:
    link_ana(world)
    through_evergreen(world.browser())
    begun, left = world.count("pending_login"), lanes["left"]
    browser = world.browser().get("/sign-in?next=/account")
    flow = browser.url.rpartition("flow=")[2]
    stranger = world.browser().get("/sign-in")
    assert stranger.get(f"/login/ups_evergreen?flow={flow}").status == 400, "another browser's journey"
    assert browser.get("/login/ups_nobody?flow=" + flow).status == 404
    world.set_partner("ptr_evergreen", "suspended")
    assert browser.get(f"/login/ups_evergreen?flow={flow}").status == 403
    world.set_partner("ptr_evergreen", "active")
    world.app.state.service.parts["federation"].breaker._states["ups_evergreen"].closed_until = float("inf")
    assert browser.get(f"/login/ups_evergreen?flow={flow}").status == 502
    assert world.count("pending_login") == begun
    assert lanes["left by pages"] == 1 + 1, "the first, and the one that was told that nobody answers"
    assert lanes["left"] == left + 2


def _ends(column: str, table: str) -> Callable[[World], None]:
    def change(world: World) -> None:
        with transaction(world.database) as db:
            db.execute(text(f"UPDATE {table} SET {column}"))

    return change


def _turned_off(world: World) -> None:
    with transaction(world.database) as db:
        provisioned.create(
            db, "ptr_evergreen", name_key="ana", external_id="ev-1", facts={"active": False, "userName": "ana"}
        )


CHANGES: dict[str, tuple[Callable[[World], None], int]] = {
    "the person is suspended": (_ends("status = 'suspended'", "account"), 403),
    "the login is taken off": (_ends("ended_at = 1", "login"), 200),
    "the login is held": (_ends("held_at = 1", "login"), 403),
    "the login is another person's by its facts": (
        _ends('facts = \'{"email":"z@z.example","name":"Zoe Quist"}\'', "login"),
        403,
    ),
    "the partner is suspended": (_ends("status = 'suspended'", "partner"), 403),
    "the organization is disabled": (_ends("status = 'disabled'", "upstream"), 403),
    "the organization turned the person off": (_turned_off, 403),
    "the journey ended": (_ends("ended_at = 1", "flow"), 400),
}


@pytest.mark.parametrize("at", ["proved", "opening"])
def test_security_35_nothing_opens_where_its_ground_goes_while_the_organization_is_asked(
    world: World, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Once while the answer is proved, and once after the login was read, just before the commit."""
    link_ana(world)
    module: Any = federation_flow if at == "proved" else plain
    real, change = getattr(module, at), [lambda _world: None]

    def overtaken(*given: Any, **more: Any) -> Any:
        made = real(*given, **more)
        change[0](world)
        return made

    monkeypatch.setattr(module, at, overtaken)
    for what, (meanwhile, status) in CHANGES.items():
        forgotten(world, "partner_person")
        with transaction(world.database) as db:
            db.execute(text("UPDATE account SET status = 'active'"))
            db.execute(text("UPDATE login SET ended_at = NULL, held_at = NULL"))
            db.execute(text("UPDATE partner SET status = 'active'"))
            db.execute(text("UPDATE upstream SET status = 'active'"))
        browser, back = sent_back(world)
        change[0] = meanwhile
        browser.get(back)
        change[0] = lambda _world: None
        assert (browser.status, world.count("session")) == (status, 0), what
        assert browser.cookie("session") is None, what
        assert world.count("login", "facts_at IS NOT NULL") == 0, what


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_security_33_a_hostile_id_token_is_refused_in_the_pages_lane_too(world: World) -> None:
    """tests/contract asks in the lane, where a known login comes back; here the other way in is asked."""
    link_ana(world)
    with by_pages():
        for name, claims in HOSTILE_CLAIMS.items():
            world.evergreen.claims = claims
            browser, _ = leave(world)
            assert (browser.status, world.count("session")) == (502, 0), name
            world.app.state.service.parts["federation"].breaker._states.clear()


def test_security_31_a_callback_replayed_at_once_on_two_workers_opens_one_session(
    world: World, lanes: dict[str, int]
) -> None:
    link_ana(world)
    browser, back = sent_back(world)
    [kept] = browser.cookies.values()
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in kept.items()), "Accept": "text/html"}
    other = create_app(world.settings)
    other.state.service.parts["outbound"] = Outbound(development=True, transport=Wire(world.evergreen, world.lakeside))
    statuses: list[int] = []
    with TestClient(other, base_url=world.settings.issuer) as second:
        gate = threading.Barrier(12)

        def go(number: int) -> None:
            worker = second if number % 2 else world.sites[world.settings.issuer]
            gate.wait()
            statuses.append(worker.get(back, headers=headers, follow_redirects=False).status_code)

        threads = [threading.Thread(target=go, args=(n,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(statuses) == [303] + [400] * 11
    assert world.count("session") == 1
    assert lanes["back"] == 1
    assert set(world.reasons("accounts.login.refused")) == {"state_replayed"}
    assert world.events("accounts.login.refused") == 11


def test_figure_a_known_login_costs_a_read_and_a_commit_at_each_request_and_nothing_of_the_pages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers that no busy machine changes; docs/performance.md says what they come to."""
    link_ana(world)
    through_evergreen(world.browser())
    asked: dict[str, list[str]] = {}
    lane, here = world.app.state.service.lane, [""]
    fetch, write = lane.fetch, lane.write

    async def fetched(*given: Any) -> Any:
        asked.setdefault(here[0], []).append("read")
        return await fetch(*given)

    async def written(*given: Any, **more: Any) -> Any:
        asked.setdefault(here[0], []).append("commit")
        return await write(*given, **more)

    def heard(*_given: Any) -> None:
        asked.setdefault(here[0], []).append("pages")

    monkeypatch.setattr(lane, "fetch", fetched)
    monkeypatch.setattr(lane, "write", written)
    event.listen(world.database.engine, "before_cursor_execute", heard)
    browser = world.browser()
    browser.stop_at = world.evergreen.issuer
    browser.get("/sign-in?next=/account")
    flow = browser.url.rpartition("flow=")[2]
    here[0] = "leave"
    browser.get(f"/login/ups_evergreen?flow={flow}")
    here[0] = ""
    assert browser.left is not None
    back = world.evergreen.client.get(browser.left, follow_redirects=False).headers["location"]
    browser.stop_at = browser.home
    headers = {"Cookie": "; ".join(f"{k}={v}" for kept in browser.cookies.values() for k, v in kept.items())}
    here[0] = "back"
    answer = world.sites[browser.home].get(back, headers=headers, follow_redirects=False)
    here[0] = ""
    local = world.browser().get("/sign-in?next=/account").submit("Continue", username="ana.ruiz")
    form = {"form_key": local.form_key(), "flow": local.flow(), "user_name": "ana.ruiz"}
    headers = {"Cookie": "; ".join(f"{k}={v}" for kept in local.cookies.values() for k, v in kept.items())}
    here[0] = "password"
    entered = world.sites[browser.home].post(
        "/sign-in/password", data={**form, "password": PASSWORD}, headers=headers, follow_redirects=False
    )
    here[0] = ""
    event.remove(world.database.engine, "before_cursor_execute", heard)
    assert (answer.status_code, entered.status_code) == (303, 303)
    assert asked["leave"] == ["read", "commit"]
    assert asked["back"] == ["read", "commit", "read", "commit"], "the try is used up before the organization is asked"
    assert asked["password"] == ["read", "commit", "commit"], "the try is counted before the password is looked at"
