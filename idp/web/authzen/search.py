"""The machines' lane: AuthZEN 1.0 searches over what evaluation would permit, complete or paged.

Strength is a person's own at a moment, so searches leave gate 13 out and say `simulated`
(decisions.md 12). Every result was decided by the same gates as an evaluation.
"""

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
from idp.web.authzen import asked
from idp.web.authzen.asked import SEARCH
from idp.web.authzen.asking_about import may_ask
from idp.web.bearer import Caller, bearer
from idp.web.boundary import Service
from idp.web.cursors import Cursor

DEFAULT, MOST = 50, 200
"""Results of a page."""
LOOKED_AT = 2_000
"""Candidates decided for one page, so that one request does not hold a worker."""


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
        decider = self._decider()
        await may_ask(caller, decider, self._app_of(caller), question)
        cursor = Cursor(self._service.database, sought, body)
        limit, last = cursor.page(DEFAULT, MOST)
        found: list[str] = []
        looked, more = 0, True
        while more and len(found) <= limit and looked < LOOKED_AT:
            # One more than asked is looked for, so that a page with a next token always has a successor.
            names = await decider.read(candidates.of(question, sought, last, MOST))
            more = len(names) == MOST
            for name in names:
                last, looked = name, looked + 1
                decision = await decider.decide(about(question, sought, name))
                if decision.allowed:
                    found.append(name)
                    if len(found) > limit:
                        break
                    asked.fresh_enough(decision, body.get("context"))
        results = [self._result(question, sought, name) for name in found[:limit]]
        answer: dict[str, Any] = {"results": results, "context": {"simulated": True}}
        # A page that found little among many is short, and says where to go on: nothing is cut silently.
        goes_on = found[limit - 1] if len(found) > limit else last if more else ""
        answer["page"] = {"next_token": cursor.token(goes_on) if goes_on else ""}
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


def about(question: Question, sought: str, name: str) -> Question:
    """Return the question a search asks about one candidate."""
    if sought == "subject":
        return question.about(name, question.provider_id, question.entitlement)
    if sought == "resource":
        return question.about(question.account_id, name, question.entitlement)
    return question.about(question.account_id, question.provider_id, name)
