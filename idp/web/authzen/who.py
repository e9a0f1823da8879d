"""The machines' lane: who could do this for that organisation on a day, and why (SE-6); complete or paged."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp import clock
from idp.audit import log
from idp.audit.events import Event
from idp.entitlements import coulds
from idp.entitlements.asking import Decider
from idp.entitlements.coulds import Period
from idp.entitlements.question import AskingApp, Question
from idp.web.authzen import answered, asked
from idp.web.authzen.asked import SEARCH, SIMULATE, Malformed
from idp.web.authzen.asking_about import may_ask
from idp.web.bearer import Caller, bearer
from idp.web.boundary import Service
from idp.web.cursors import Cursor

DEFAULT, MOST = 50, 200
"""People of a page."""
LONGEST = timedelta(days=370)
"""The longest stretch one request asks about."""


def routes(service: Service, decider: Callable[[], Decider], app_of: Callable[[Caller], AskingApp]) -> list[BaseRoute]:
    """Return the route of the report."""

    async def who(request: Request) -> Response:
        """List everybody who could do this, with periods, grants, who gave them, agreement and policy version.

        `held` lists in the same shape who held it and could not use it, with the reason of the first refusal.
        """
        caller = await bearer(service, request, SEARCH)
        asked.needs(caller.scopes, SIMULATE)
        body = await asked.body_of(request)
        question, starts, ends = _question(body, app_of(caller), caller)
        await may_ask(caller, decider(), app_of(caller), question)
        cursor = Cursor(service.database, "who", body)
        limit, after = cursor.page(DEFAULT, MOST)
        work = coulds.people(question, clock.micros(starts), clock.micros(ends), after=after, limit=limit)
        found = await decider().read(work)
        results, held = (
            [{"type": "account", "id": name, "periods": [told(period) for period in periods]} for name, periods in some]
            for some in (found.found, found.held)
        )
        await _record(service, question, starts, len(results))
        answer = {
            "results": results,
            "held": held,
            "context": {"simulated": True, "assumed": list(coulds.ASSUMED), "line_of_business": question.asked_line},
            "page": {"next_token": cursor.token(found.goes_on) if found.goes_on else ""},
        }
        return Response(orjson.dumps(answer), media_type="application/json")

    return [Route("/access/v1/who", who, methods=["POST"])]


def told(period: Period) -> dict[str, Any]:
    """Return one period as the answer holds it; one of no use says why."""
    why = {} if period.decision.allowed else answered.refusal(period.decision)
    return why | {
        "from": clock.iso(clock.from_micros(period.starts_at)),
        "until": clock.iso(clock.from_micros(period.ends_at)),
        "because": list(period.decision.because if period.decision.allowed else period.held),
        "given": [
            {
                "id": one.id,
                "by": one.by,
                "reason": one.reason,
                "from": clock.iso(clock.from_micros(one.starts_at)),
                "until": None if one.ends_at is None else clock.iso(clock.from_micros(one.ends_at)),
                "ended": None if one.ended_at is None else clock.iso(clock.from_micros(one.ended_at)),
            }
            for one in period.sources
        ],
        "affiliation": period.affiliation,
        "partner": period.partner_id,
        "agreement": period.decision.agreement,
        "policy_version": period.policy_version,
    }


def _question(body: dict[str, Any], app: AskingApp, caller: Caller) -> tuple[Question, datetime, datetime]:
    context = asked.member(body, "context")
    if context.get("day") is not None:
        starts = asked.moment({"at": asked.text(context, "day", "context")})
        ends = None if starts is None else starts + timedelta(days=1)
    else:
        starts = asked.moment({"at": context.get("from")})
        ends = asked.moment({"at": context.get("until")})
    if starts is None or ends is None or not starts < ends <= starts + LONGEST:
        raise Malformed("context needs a day, or from and until at most a year apart.")
    plain = {name: value for name, value in context.items() if name not in ("day", "from", "until", "at", "explain")}
    whole = {**body, "subject": {"type": "account", "id": "*"}, "context": plain}
    question = asked.question_of(whole, app, caller.scopes)
    return replace(question, assume_authenticated=True), starts, ends


async def _record(service: Service, question: Question, day: datetime, count: int) -> None:
    event = Event(
        "entitlements.search.answered",
        provider=question.provider_id,
        entitlement=question.entitlement,
        client=question.app.client_id,
        channel=question.app.channel,
        details={"sought": "who", "results": count, "line": question.asked_line, "day": clock.iso(day)},
    )
    await service.lane.write(rows=[log.machine_row(service.database, event, clock.now())])
