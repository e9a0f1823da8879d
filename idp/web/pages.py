"""Turn a template and facts into a page, the same way everywhere."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup
from sqlmodel import Session

from idp import clock, configuration, entropy
from idp.accounts.assurance import idle_limit
from idp.accounts.sessions import InForce
from idp.database import reading
from idp.errors import Refused
from idp.notices import saying
from idp.web import cookies, dates, forms, frame, moulds
from idp.web.boundary import service_of
from idp.web.built import asset
from idp.web.middleware import POLICY

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE = Path(__file__).parent


@lru_cache(maxsize=1)
def environment() -> "Environment":
    """Return the template environment; undefined names are errors, values are escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # with the first page

    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # or each page looks at eleven files first
    )
    made.filters["when"] = when
    made.filters["day"] = day
    made.filters["last_day"] = last_day
    made.filters["exact"] = exact
    made.filters["clock"] = clock_time
    made.globals["asset"] = asset
    made.globals["navigation"] = frame.navigation
    made.globals["group"] = frame.group
    return made


def when(moment: datetime, zone: str = "America/Chicago") -> Markup:
    """Show a moment as "Nov 21, 2026, 9:14 AM CST", with the exact time for machines."""
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), saying.moment(moment, zone))


def exact(moment: datetime, zone: str = "America/Chicago") -> Markup:
    """Show a moment as analysts need it: "Nov 21, 2026, 9:14:02.118 AM CST", with UTC for machines."""
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), saying.exact_moment(moment, zone))


def clock_time(moment: datetime, zone: str = "America/Chicago", *, fine: bool = False) -> str:
    """Say a moment shortly, where the zone stands beside: "Nov 21, 9:14 AM", `fine` with its seconds."""
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local:%b} {local.day}, {local.hour % 12 or 12}:{local:{'%M:%S' if fine else '%M'}} {local:%p}"


_NEAR = timedelta(days=2)


def day(moment: datetime, zone: str = "America/Chicago") -> Markup:
    """Show the day of a moment as "Nov 21, 2026"."""
    local = moment.astimezone(ZoneInfo(zone))
    # Nothing of a date needs escaping, and a roster shows a hundred of them.
    return Markup(  # noqa: S704
        f'<time datetime="{local.date().isoformat()}">{local:%b} {local.day}, {local.year}</time>'
    )


def last_day(end: datetime, zone: str = "America/Chicago") -> Markup:
    """Show the last day an end date includes: "Nov 30, 2027" for the moment after it.

    An end in the middle of a day is told to the minute while it is near: emergency access lasts four hours.
    """
    if abs(end - clock.now()) < _NEAR and end != dates.end_of(dates.last_day(end, zone), zone):
        return when(end, zone)
    return day(end - timedelta(microseconds=1), zone)


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    form_action: str | None = None,
    settings: configuration.Configuration | None = None,
    each_own: Mapping[str, str] | None = None,
    as_typed: Mapping[str, str] | None = None,
    own_address: str | None = None,
    **facts: Any,
) -> HTMLResponse:
    """Render a page. `form_action` names the request's proven redirect origin on flow pages (ui.md 4.1).

    `own_address`: the page's own address, where another address's answer shows it.

    Templates always have: `insurer` (names and help), `form_key` (hidden field of every form), `path`,
    `fields` (field -> sentence, empty unless refused), `person` (the signed-in visitor or None),
    `areas` (where they work), `running` (emergency access), `zone`, `development`, `ask_after` and `here` (before
    the automatic sign-out); and the functions `asset(name)`,
    `navigation(area, provider_id)` and `group(area, current)`.
    `settings`: those in force, from whoever has read them; then a page for nobody reads no database, and with
    `each_own` (see moulds.py) it is rendered once for all who see it.
    """
    service = service_of(request)
    person = getattr(request.state, "person", None)
    areas: list[frame.Area] = []
    ask_after = 0
    running: frame.Running | None = None
    if settings is not None and person is None:
        insurer = settings.insurer
    else:
        with _session(request) as session:
            insurer = configuration.current(session).insurer
            ask_after = _ask_after(configuration.current(session).clocks, person.session) if person else 0
            areas = frame.areas(session, person.account.id) if person else []
            running = frame.emergency(session, person.account.id) if person else None
    browser = cookies.read(request, service.settings, cookies.FLOW)
    fresh = None
    if browser is None:
        # Several pages of one response chain must agree, so a secret made here is remembered on the request.
        fresh = getattr(request.state, "browser", None) or entropy.token()
        request.state.browser = browser = fresh
    shown_to = person.account.id if person else None
    form_key = forms.key_for(service.settings, service.database.ring.derived("forms"), browser, shown_to)
    path, here = (own_address.partition("?")[0], own_address) if own_address else (request.url.path, _here(request))
    facts = {"fields": {}, **facts, "form_key": form_key, "path": path, "here": here}
    always = {
        "insurer": insurer,
        "ask_after": ask_after,
        "person": person,
        "areas": areas,
        "running": running,
        "zone": service.settings.time_zone,
        "development": service.settings.development,
    }

    def render(given: Mapping[str, Any]) -> str:
        return environment().get_template(template).render({**always, **given})

    if each_own is None or settings is None or person is not None:
        body = render({**facts, **(as_typed or {})})
    else:
        body = moulds.filled(
            render, template, settings, facts, own={**each_own, "form_key": form_key}, typed=as_typed or {}
        )
    extra = f" {form_action}" if form_action else ""
    response = HTMLResponse(body, status_code=status, headers={"Content-Security-Policy": POLICY.format(extra=extra)})
    if fresh is not None:
        cookies.put(response, service.settings, cookies.FLOW, fresh)
    return response


def _ask_after(clocks: configuration.Clocks, session: InForce) -> int:
    """Return after how many seconds of silence a page asks whether somebody is there: two minutes before the end."""
    left = min(idle_limit(clocks, session.acr), session.expires_at - clock.now()).total_seconds()
    return max(1, int(max(left - 120, left / 2)))


def _here(request: Request) -> str:
    """Return where the page that is shown can be found again; forms' answers can't."""
    if request.method not in ("GET", "HEAD"):
        return "/account"
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


@contextmanager
def _session(request: Request) -> Iterator[Session]:
    """Use the transaction the request has open, else one that only reads."""
    present: Session | None = getattr(request.state, "db", None)
    if present is not None:
        yield present
        return
    with reading(service_of(request).database) as session:
        yield session


def browser_of(request: Request) -> str:
    """Return this browser's flow secret, making one where there is none yet (`page` and `go` set it)."""
    service = service_of(request)
    known = cookies.read(request, service.settings, cookies.FLOW) or getattr(request.state, "browser", None)
    if known is None:
        request.state.browser = known = entropy.token()
    return str(known)


@contextmanager
def shown_again(
    template: str, facts: Mapping[str, Any] | Callable[[], Mapping[str, Any]], *refusals: type[Refused]
) -> Iterator[None]:
    """Show a refusal from within on the page whose form was sent, as `problem`, beside these facts."""
    try:
        yield
    except refusals as problem:
        known = facts() if callable(facts) else facts
        problem.page, problem.context = template, {**known, "problem": problem.detail}
        raise


def go(request: Request, where: str) -> RedirectResponse:
    """Send the browser on with 303, keeping a flow secret that was made in this request."""
    response = RedirectResponse(where, status_code=303)
    made = getattr(request.state, "browser", None)
    if made is not None:
        cookies.put(response, service_of(request).settings, cookies.FLOW, made)
    return response


def form_post(request: Request, redirect_uri: str, location: str) -> HTMLResponse:
    """Carry an answer to the app as a form (OAuth 2.0 Form Post Response Mode); a click sends it, or our script."""
    answer = parse_qsl(location.removeprefix(redirect_uri).lstrip("?&"), keep_blank_values=True)
    parts = urlsplit(redirect_uri)
    origin = f"{parts.scheme}://{parts.netloc}"
    shown = page(request, "oauth/form_post.html", form_action=origin, action=redirect_uri, answer=answer)
    made = getattr(request.state, "browser", None)
    if made is not None:
        cookies.put(shown, service_of(request).settings, cookies.FLOW, made)
    return shown
