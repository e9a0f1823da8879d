"""The machines' lane: AuthZEN 1.0 searches over what evaluation would permit, complete or paged.

Strength is a person's own at a moment, so searches leave gate 13 out and say `simulated`
(decisions.md 12). Every result was decided by the same gates as an evaluation.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp import clock
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements import candidates
from idp.entitlements.asking import Decider
from idp.entitlements.question import AskingApp, Question
from idp.web import asked
from idp.web.asked import SEARCH, Malformed
from idp.web.bearer import Caller, bearer
from idp.web.boundary import Service

DEFAULT, MOST = 50, 200
"""Results of a page."""


def routes(service: Service, decider: Callable[[], Decider], app_of: Callable[[Caller], AskingApp]) -> list[BaseRoute]:
    """Return the three searches."""
    searching = Searching(service, decider, app_of)
    return [
        Route("/access/v1/search/subject", searching.subject, methods=["POST"]),
        Route("/access/v1/search/resource", searching.resource, methods=["POST"]),
        Route("/access/v1/search/action", searching.action, methods=["POST"]),
    ]


class Searching:
    """The searches of one worker."""

    def __init__(self, service: Service, decider: Callable[[], Decider], app_of: Callable[[Caller], AskingApp]) -> None:
        self._service = service
        self._decider = decider
        self._app_of = app_of

    async def subject(self, request: Request) -> Response:
        """Who may do this for this provider?"""
        return await self._search(request, "subject")

    async def resource(self, request: Request) -> Response:
        """For which providers may this person do this?"""
        return await self._search(request, "resource")

    async def action(self, request: Request) -> Response:
        """What may this person do for this provider?"""
        return await self._search(request, "action")

    async def _search(self, request: Request, sought: str) -> Response:
        caller = await bearer(self._service, request, SEARCH)
        body = await asked.body_of(request)
        question = self._question(caller, body, sought)
        limit, after, tied = self._page(body, sought)
        found: list[str] = []
        last = after
        decider = self._decider()
        more = True
        while more and len(found) <= limit:
            # One more than asked is looked for, so that a page with a next token always has a successor.
            names = await decider.read(candidates.of(question, sought, last, MOST))
            more = len(names) == MOST
            for name in names:
                last = name
                decision = await decider.decide(_about(question, sought, name))
                if decision.allowed:
                    found.append(name)
                    if len(found) > limit:
                        break
        results = [self._result(question, sought, name) for name in found[:limit]]
        answer: dict[str, Any] = {"results": results, "context": {"simulated": True}}
        answer["page"] = {"next_token": self._token(tied, found[limit - 1]) if len(found) > limit else ""}
        await self._record(question, sought, len(results))
        return Response(orjson.dumps(answer), media_type="application/json")

    def _question(self, caller: Caller, body: dict[str, Any], sought: str) -> Question:
        whole = dict(body)
        holder = {"subject": "subject", "resource": "resource", "action": "action"}[sought]
        if sought == "action":
            whole["action"] = {"name": "*"}
        else:
            entity = asked.member(body, holder)
            whole[holder] = {**entity, "id": "*"}
        question = asked.question_of(whole, self._app_of(caller), caller.scopes | {asked.SIMULATE})
        if question.at is not None:
            asked.needs(caller.scopes, asked.SIMULATE)
        return replace(question, assume_authenticated=True)

    def _page(self, body: dict[str, Any], sought: str) -> tuple[int, str, bytes]:
        page = body.get("page")
        if page is None:
            page = {}
        if not isinstance(page, dict):
            raise Malformed("page must be an object.")
        limit = page.get("limit", DEFAULT)
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise Malformed("page.limit must be a whole number from 1.")
        rest = {name: value for name, value in body.items() if name != "page"}
        tied = hashlib.sha256(sought.encode() + orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)).digest()
        token = page.get("token")
        after = "" if token in (None, "") else self._open(tied, token)
        return min(limit, MOST), after, tied

    def _token(self, tied: bytes, last: str) -> str:
        """Return where the next page begins, tied to the rest of the request, which must not change."""
        mac = hmac.digest(self._service.database.ring.derived("cursors"), tied + last.encode(), "sha256")[:16]
        return base64.urlsafe_b64encode(mac + last.encode()).decode().rstrip("=")

    def _open(self, tied: bytes, token: Any) -> str:
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            last = raw[16:].decode()
        except (TypeError, ValueError):
            raise Malformed("page.token is not one we gave.") from None
        if not last or not hmac.compare_digest(self._token(tied, last), token.rstrip("=")):
            raise Malformed("page.token is not one we gave for this request.")
        return last

    @staticmethod
    def _result(question: Question, sought: str, name: str) -> dict[str, str]:
        if sought == "action":
            return {"name": name}
        return {"type": question.subject_type if sought == "subject" else question.resource_type, "id": name}

    async def _record(self, question: Question, sought: str, count: int) -> None:
        event = Event(
            "entitlements.search.answered",
            account=None if sought == "subject" else question.account_id,
            provider=None if sought == "resource" else question.provider_id,
            entitlement=None if sought == "action" else question.entitlement,
            client=question.app.client_id,
            channel=question.app.channel,
            details={"sought": sought, "results": count, "line": question.asked_line},
        )
        await self._service.lane.write(rows=[log.machine_row(self._service.database, event, clock.now())])


def _about(question: Question, sought: str, name: str) -> Question:
    if sought == "subject":
        return replace(question, account_id=name)
    if sought == "resource":
        return replace(question, provider_id=name)
    return replace(question, entitlement=name)
