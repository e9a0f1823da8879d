"""Every route names its guard or says why anyone may come; none breaks on what a stranger can send."""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any, get_args

import pytest
import structlog
from fastapi import FastAPI
from fastapi.params import Depends
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient
from starlette.types import Message

from idp.app import App, create_app
from idp.settings import Settings
from idp.web import forms, guards
from idp.web.areas import AREAS


def flat(routes: list[BaseRoute]) -> Iterator[BaseRoute]:
    """Return every route, those of included routers too."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from flat(inner.routes)
        else:
            yield route


def dependencies(call: Any, seen: set[Any]) -> Iterator[Any]:
    """Return what a route's signature depends on, deeply."""
    for parameter in inspect.signature(call, eval_str=True).parameters.values():
        for mark in (parameter.default, *get_args(parameter.annotation)[1:]):
            if isinstance(mark, Depends) and mark.dependency is not None and mark.dependency not in seen:
                seen.add(mark.dependency)
                yield mark.dependency
                yield from dependencies(mark.dependency, seen)


def whole(settings: Settings) -> App:
    """The application with every area of its pages open."""
    made = create_app(settings)
    made.areas.open_all()
    return made


@pytest.fixture
def app(settings: Settings) -> Iterator[FastAPI]:
    """The application, whose default log would draw every traceback for minutes."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
    yield whole(settings)
    structlog.reset_defaults()


def pages_of(app: Any) -> list[APIRoute]:
    return [route for route in flat(app.routes) if isinstance(route, APIRoute)]


def test_security_61_every_route_has_a_guard_or_says_why_anyone_may_come(app: FastAPI) -> None:
    unguarded = []
    for route in flat(app.routes):
        if isinstance(route, Mount):
            assert route.path == "/static"
            continue
        assert isinstance(route, Route | APIRoute), route
        if getattr(route.endpoint, "open_because", "").strip():
            continue
        if isinstance(route, APIRoute):
            asked = set(dependencies(route.endpoint, set()))
            guarded = guards.signed_in in asked or any(
                getattr(each, "__qualname__", "").endswith(".guard") for each in asked
            )
        else:
            guarded = "bearer(" in inspect.getsource(inspect.unwrap(route.endpoint)) or route.path.startswith(
                "/access/v1/search/"
            )
        if not guarded:
            unguarded.append(f"{sorted(route.methods or ())} {route.path}")
    assert unguarded == []


def test_performance_every_page_lies_where_its_area_is_opened(app: FastAPI) -> None:
    """An area opens at its addresses: a page elsewhere would be a 404 until something else had opened it."""
    for area in AREAS:
        found = [route.path for route in flat(import_module(f"idp.web.{area.module}").router.routes)]  # type: ignore[attr-defined]
        assert [path for path in found if path not in area] == [], area.module
        needless = {at for at in area.addresses if not any(f"{path}/".startswith(f"{at}/") for path in found)}
        assert not needless, area.module


def test_performance_an_area_opens_with_its_first_visitor_and_no_other_does(settings: Settings) -> None:
    app = create_app(settings)
    with TestClient(app, base_url=settings.issuer, follow_redirects=False) as http:
        before = list(app.router.routes)
        assert http.get("/nowhere", headers={"accept": "text/html"}).status_code == 404
        assert http.get("/healthz").status_code == 200
        opened = {route.path for route in app.router.routes if route not in before}  # type: ignore[attr-defined]
        assert opened == {"/healthz", "/readyz", "/metrics"}  # its area alone
        with ThreadPoolExecutor(4) as many:  # first visitors at once: each is answered, the pages are there once
            answers = list(many.map(lambda _: http.get("/security/search"), range(4)))
        assert {answer.status_code for answer in answers} == {401}
        desk = [route.path for route in pages_of(app) if route.path.startswith("/security/") and "GET" in route.methods]
        assert len(desk) == len(set(desk)) > 5


def test_security_26_every_form_of_ours_proves_where_it_came_from(app: FastAPI) -> None:
    """A POST without the form's proof only goes on as a GET, belongs to a machine, or is itself signed."""
    without = {
        route.path
        for route in pages_of(app)
        if route.methods
        and route.methods - {"GET", "HEAD"}
        and forms._read not in set(dependencies(route.endpoint, set()))
        and not route.path.startswith("/api/")  # a token in a header, which no page of others can make a browser send
    }
    assert without == {
        "/oauth/logout",
        "/login/{upstream}/callback",
        "/login/{upstream}/logout",
        "/login/{upstream}/signals",
        "/login/{upstream}/slo",
    }


BODIES: tuple[tuple[str, bytes], ...] = (
    ("application/x-www-form-urlencoded", b""),
    ("application/x-www-form-urlencoded", b"a=%00&flow=%00&token=%ff&grant_type=x"),
    ("application/x-www-form-urlencoded", b"\xff\xfe=\xff"),
    ("application/x-www-form-urlencoded; charset=utf-16", b"a=b"),
    ("multipart/form-data", b"nonsense"),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\x00\r\n--x--\r\n'),
    ("application/json", b"{"),
    ("application/json", b'{"a":' * 900 + b"1" + b"}" * 900),
    ("application/json", b'{"a":"\\ud800"}'),
    ("application/json", b"[" * 100_000),
    ("text/xml", b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>"),
    ("", b"\x00"),
)  # fmt: skip


Ask = Callable[[str, str, str, bytes], Awaitable[int]]


def _asking(app: FastAPI, settings: Settings) -> Ask:
    """Return what sends a request to the application as a server does, and returns the status of its answer.

    Without the client that other tests use: it costs more than most of these answers.
    """
    host = settings.issuer.partition("://")[2].encode()

    async def ask(method: str, path: str, kind: str = "", body: bytes = b"") -> int:
        headers = [(b"host", host), (b"accept", b"text/html"), (b"content-length", b"%d" % len(body))]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method,
            "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("10.0.0.1", 1),
            "server": ("localhost", 80), "headers": [*headers, (b"content-type", kind.encode())], "state": {},
        }  # fmt: skip
        arriving = [{"type": "http.request", "body": body, "more_body": False}]
        statuses: list[int] = []

        async def receive() -> Message:
            return arriving.pop() if arriving else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        try:
            await app(scope, receive, send)
        except Exception:  # a server logs it; what it answered before stands
            assert statuses, (method, path, kind, body[:20])
        return statuses[0]

    return ask


# What PostgreSQL can't keep, such as NUL in a text, SQLite keeps: the stricter of the two tells more.
@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_security_83_wrong_methods_and_bodies_are_answered_4xx_on_every_route(app: FastAPI, settings: Settings) -> None:
    broken: list[str] = []
    paths: set[str] = set()

    async def all_of_them() -> None:
        ask = _asking(app, settings)
        async with app.router.lifespan_context(app):
            for route in flat(app.routes):
                path = re.sub(r"\{[^}]+\}", "x", getattr(route, "path", "/static/x"))
                for method in ("GET", "POST", "PUT", "DELETE", "TRACE") if path not in paths else ():
                    status = await ask(method, path, "", b"")
                    if status >= 500 and path != "/readyz":
                        broken.append(f"{method} {path}: {status}")
                paths.add(path)
                for kind, body in BODIES if "POST" in (getattr(route, "methods", None) or ()) else ():
                    status = await ask("POST", path, kind, body)
                    if status >= 500:
                        broken.append(f"POST {path} {kind} {body[:20]!r}: {status}")

    with ThreadPoolExecutor(1) as alone:  # a browser's event loop may be running in this thread
        alone.submit(lambda: asyncio.run(all_of_them())).result()
    assert len(paths) > 150
    assert not broken, "\n".join(broken)
