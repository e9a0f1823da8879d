"""Areas of people's pages: each is imported when the first person comes to one of its addresses.

A worker that answers apps and sign-ins alone never holds the pages of access managers or security staff, and
starts without them; the first visitor of an area waits a moment longer, once for each worker.
"""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module

from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Area:
    """Pages that come together, and where they are."""

    module: str
    """A module of idp.web that holds a `router`."""
    addresses: tuple[str, ...]
    """Every route of the router lies at one of these or below it."""

    def __contains__(self, path: str) -> bool:
        return f"{path}/".startswith(tuple(f"{address}/" for address in self.addresses))


AREAS: tuple[Area, ...] = (
    Area("authorize", ("/oauth/logout", "/oauth/authorize", "/practice", "/consent")),
    Area("login", ("/sign-in", "/sign-out", "/signed-out")),
    Area("second_step", ("/sign-in/confirm", "/sign-in/enroll", "/sign-in/passkey")),
    Area("recover", ("/recover",)),
    Area("tiered", ("/sign-in/organization",)),
    Area("outside", ("/login", "/account/logins/add")),
    Area("outside_saml", ("/login",)),
    Area("upstream_logout", ("/login", "/signed-out/there")),
    Area("organization_signals", ("/login",)),
    Area("linked", ("/link",)),
    Area("invited", ("/invitations",)),
    Area("registration.steps", ("/register",)),
    Area("terms", ("/terms", "/attest", "/account/terms")),
    Area("me.home", ("/", "/account")),
    Area("report", ("/report",)),
    Area("staying", ("/account/session", "/still-there")),
    Area("health", ("/healthz", "/readyz", "/metrics")),
    Area("mailbox", ("/mailbox",)),
    Area("manager.people", ("/p", "/evidence")),
    Area("desk.log", ("/security",)),
    Area("desk.who", ("/security",)),
    Area("desk.saved", ("/security",)),
    Area("desk.tail", ("/security",)),
    Area("desk.timeline", ("/security",)),
    Area("desk.reviews", ("/security",)),
    Area("desk.sharing", ("/security/sharing",)),
    Area("transparency", ("/log/v1",)),
    Area("desk.why", ("/security/why", "/support/why")),
    Area("desk.links", ("/security",)),
    Area("desk.heard", ("/security",)),
    Area("desk.reports", ("/security",)),
    Area("desk.cases", ("/security/cases",)),
    Area("appealing", ("/report/appeal",)),
    Area("desk.organizations", ("/insurer/organizations", "/p")),
    Area("desk.publishing", ("/insurer/terms",)),
    Area("insurer.functions", ("/insurer/catalogue",)),
    Area("insurer.jobs", ("/insurer/jobs",)),
    Area("insurer.gate", ("/insurer/organizations",)),
    Area("insurer.duties", ("/insurer/duties",)),
    Area("insurer.support", ("/support",)),
    Area("console.described", ("/api/v1",)),
    Area("company.delegations", ("/company",)),
    Area("desk.first_managers", ("/insurer/first-managers",)),
    Area("desk.companies", ("/insurer/companies",)),
    Area("desk.emergency", ("/security/emergency",)),
)


class Areas:
    """Stands before the pages of one application and opens an area before its first request."""

    def __init__(self, app: FastAPI, pages: ASGIApp) -> None:
        self._app = app
        self._pages = pages
        self._closed = AREAS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        for area in [area for area in self._closed if path in area]:
            await asyncio.to_thread(import_module, _name(area))  # others are answered meanwhile
            self._open(area)
        await self._pages(scope, receive, send)

    def open_all(self) -> None:
        """Import everything now; for those who look at all routes."""
        for area in self._closed:
            self._open(area)

    def _open(self, area: Area) -> None:
        if area in self._closed:  # else another request was first
            self._closed = tuple(other for other in self._closed if other != area)
            # Not include_router: it would build every route a second time, which is slower than all the rest.
            self._app.router.routes.extend(_each(import_module(_name(area)).router.routes))


def _each(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Yield every route, those of included routers too; ours are included as they are, without a prefix."""
    for route in routes:
        within = getattr(route, "original_router", None)
        if within is None:
            yield route
        else:
            yield from _each(within.routes)


def _name(area: Area) -> str:
    return f"idp.web.{area.module}"
