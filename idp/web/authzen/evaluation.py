"""The machines' lane: AuthZEN 1.0 access evaluation, single and in batches, and its metadata."""

from contextlib import suppress
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp.database.lane import Stale
from idp.entitlements.asking import Decider
from idp.entitlements.decision import Decision
from idp.entitlements.question import AskingApp, Question
from idp.errors import Refused
from idp.web.authzen import asked, search, who
from idp.web.authzen.answered import answer_of, explained, refused
from idp.web.authzen.asked import EVALUATE, SIMULATE, Malformed
from idp.web.authzen.asking_about import may_ask
from idp.web.bearer import Caller, bearer
from idp.web.boundary import Service
from idp.web.guards import open_to_anyone

MOST = 1000
"""Evaluations in one request."""
SEMANTICS = {"execute_all": None, "deny_on_first_deny": "deny", "permit_on_first_permit": "permit"}


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of this part of the lane."""
    asking = Asking(service)
    made: list[BaseRoute] = [
        Route("/access/v1/evaluation", asking.evaluation, methods=["POST"]),
        Route("/access/v1/evaluations", asking.evaluations, methods=["POST"]),
        Route("/.well-known/authzen-configuration", asking.metadata, methods=["GET"]),
        *search.routes(service, asking.decider, app_of),
        *who.routes(service, asking.decider, app_of),
    ]
    if service.settings.development:
        made.append(Route("/bench/empty", asking.empty, methods=["POST"]))
    return made


def app_of(caller: Caller) -> AskingApp:
    """Return the asking app as decisions know it."""
    client = caller.client
    return AskingApp(
        client_id=client.client_id,
        channel=client.channel,
        lines=client.lines,
        default_line=client.default_line,
        entitlements=client.entitlements,
        active=client.status == "active",
        partner_id=client.partner_id,
        help_url=client.help_url,
        name=client.name,
    )


class Asking:
    """The routes of one worker and the decider they share."""

    def __init__(self, service: Service) -> None:
        self._service = service
        issuer = service.settings.issuer
        self._metadata = orjson.dumps(
            {
                "policy_decision_point": issuer,
                "access_evaluation_endpoint": f"{issuer}/access/v1/evaluation",
                "access_evaluations_endpoint": f"{issuer}/access/v1/evaluations",
                "search_subject_endpoint": f"{issuer}/access/v1/search/subject",
                "search_resource_endpoint": f"{issuer}/access/v1/search/resource",
                "search_action_endpoint": f"{issuer}/access/v1/search/action",
            }
        )

    def decider(self) -> Decider:
        """Return this worker's decider; its lane opens with the event loop."""
        made = self._service.parts.get("decider")
        if made is None:
            made = self._service.parts["decider"] = Decider(self._service.database, self._service.lane)
        assert isinstance(made, Decider)
        return made

    async def evaluation(self, request: Request) -> Response:
        """Answer one question (AuthZEN 1.0, 6)."""
        caller = await bearer(self._service, request, EVALUATE, SIMULATE, recall="services")
        body = await asked.body_of(request)
        if caller.account_id is None:
            with suppress(Stale):  # the token was revoked, or something else changed: read what, and say so
                return await self._one(caller, body, jti=str(caller.claims["jti"]))
            caller = await bearer(self._service, request, EVALUATE, SIMULATE)
        return await self._one(caller, body)

    async def evaluations(self, request: Request) -> Response:
        """Answer many questions in order (AuthZEN 1.0, 7); without any, as one evaluation."""
        caller = await bearer(self._service, request, EVALUATE, SIMULATE)
        body = await asked.body_of(request)
        items = body.get("evaluations")
        if items is None or items == []:
            return await self._one(caller, body)
        if not isinstance(items, list) or len(items) > MOST:
            raise Malformed(f"evaluations must be a list of at most {MOST} objects.")
        options = asked.member(body, "options") if body.get("options") is not None else {}
        semantic = options.get("evaluations_semantic", "execute_all")
        if not isinstance(semantic, str) or semantic not in SEMANTICS:
            raise Malformed(f"options.evaluations_semantic must be one of {', '.join(SEMANTICS)}.")
        for name in ("subject", "action", "resource", "context"):
            if body.get(name) is not None:
                asked.member(body, name)
        answers = await self._batch(caller, body, items, SEMANTICS[semantic])
        return _json({"evaluations": answers})

    async def metadata(self, request: Request) -> Response:
        """Say where the endpoints are (AuthZEN 1.0, 9)."""
        return Response(self._metadata, media_type="application/json", headers={"Cache-Control": "max-age=300"})

    async def empty(self, request: Request) -> Response:
        """Do what every answer of this lane does but decide; the yardstick of `make bench`, in development only."""
        await bearer(self._service, request, EVALUATE, SIMULATE)
        await asked.body_of(request)
        return _json({"decision": True})

    async def _one(self, caller: Caller, body: dict[str, Any], jti: str | None = None) -> Response:
        app = app_of(caller)
        question = asked.question_of(body, app, caller.scopes)
        await may_ask(caller, self.decider(), app, question)
        if asked.wants_explanation(body.get("context"), caller.scopes):
            explanation = await self.decider().explain(question)
            asked.fresh_enough(explanation.decision, body.get("context"))
            return _json(explained(explanation, self._service.settings.issuer))
        [decision] = await self.decider().answer([question], jti=jti)
        asked.fresh_enough(decision, body.get("context"))
        return _json(answer_of(decision, self._service.settings.issuer))

    async def _batch(
        self, caller: Caller, body: dict[str, Any], items: list[Any], until: str | None
    ) -> list[dict[str, Any]]:
        app = app_of(caller)
        read: list[tuple[Question | None, dict[str, Any]]] = []
        for item in items:
            try:
                whole = asked.with_defaults(body, item)
                asked.wanted_freshness(whole["context"])
                wanted = asked.question_of(whole, app, caller.scopes)
                await may_ask(caller, self.decider(), app, wanted)
                read.append((wanted, whole))
            except Refused as problem:
                read.append((None, refused(problem)))
        if until is None and not any(_explain(whole) for question, whole in read if question is not None):
            questions = [question for question, _ in read if question is not None]
            decisions = iter(await self.decider().answer_all(questions) if questions else [])
            return [whole if question is None else self._answer(next(decisions), whole) for question, whole in read]
        answers: list[dict[str, Any]] = []
        for question, whole in read:  # one by one: what comes after the deciding one is never asked
            if question is None:
                answers.append(whole)
            elif _explain(whole):
                answers.append(explained(await self.decider().explain(question), self._service.settings.issuer))
            else:
                [decision] = await self.decider().answer([question])
                answers.append(self._answer(decision, whole))
            if until is not None and answers[-1]["decision"] == (until == "permit"):
                break
        return answers

    def _answer(self, decision: Decision, whole: dict[str, Any]) -> dict[str, Any]:
        try:
            asked.fresh_enough(decision, whole.get("context"))
        except Refused as problem:
            return refused(problem)
        return answer_of(decision, self._service.settings.issuer)


open_to_anyone("The metadata of the decision point is public (AuthZEN 1.0, 9)")(Asking.metadata)


def _json(body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")


def _explain(whole: dict[str, Any]) -> bool:
    """Say whether an item of a batch is to be explained; its scope was checked when it was read."""
    return (whole["context"] or {}).get("explain") is True
