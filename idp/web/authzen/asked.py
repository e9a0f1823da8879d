"""Read an AuthZEN request by hand: JSON once, a clear 400 for what can't be understood.

Unknown members are ignored, as the standard says; duplicates and wrong types are not.
"""

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

import orjson
from starlette.requests import Request

from idp.entitlements import supposing
from idp.entitlements.decision import Decision
from idp.entitlements.question import AskingApp, Question, Supposition
from idp.errors import NotEntitled, Refused, Unavailable

LONGEST = 256
"""Characters of an id, a name or a code."""
DEEPEST = 32
"""Levels of nesting; no question needs a fifth of it."""
_KEYS = re.compile(rb'"\s*:')
_FRESHNESS = re.compile(r"(\d{1,15})\.(\d{1,15})")
EVALUATE, SIMULATE, SEARCH = "access:evaluate", "access:simulate", "access:search"


class Malformed(Refused):
    """The request can't be understood."""

    status = 400
    code = "invalid_request"
    title = "The request could not be understood"


async def body_of(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request; raise Malformed for anything else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Malformed("Send JSON with the content type application/json.")
    raw = await request.body()
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Malformed("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise Malformed("The body must be a JSON object.")
    members = _members(body, DEEPEST)
    if members < 0:
        raise Malformed("The body is nested too deeply.")
    if b"\\" in raw or len(_KEYS.findall(raw)) != members:
        _refuse_duplicates(raw)
    return body


def _members(body: dict[str, Any], levels: int) -> int:
    """Count the members of every object inside, to compare with the text: duplicates are fewer.

    Returns a number below zero where objects and lists lie deeper in each other than so many levels.
    """
    count = 0
    holders: list[Any] = [body]
    for _ in range(levels + 1):
        held: list[Any] = []
        for one in holders:
            if type(one) is dict:
                count += len(one)
                held += one.values()
            else:
                held += one
        holders = [one for one in held if type(one) is dict or type(one) is list]
        if not holders:
            return count
    return -1


def _refuse_duplicates(raw: bytes) -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise Malformed("A member is there twice.")
        return made

    try:
        json.loads(raw, object_pairs_hook=once)
    except RecursionError:
        raise Malformed("The body is nested too deeply.") from None


def member(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a member that must be an object; raise Malformed."""
    value = body.get(name)
    if not isinstance(value, dict):
        raise Malformed(f"{name} must be an object.")
    return value


def text(holder: Mapping[str, Any], name: str, where: str) -> str:
    """Return a member that must be a plain text of 1 to 256 characters; raise Malformed."""
    value = holder.get(name)
    if isinstance(value, str) and 0 < len(value) <= LONGEST and value.isprintable():
        return value
    raise Malformed(f"{where}.{name} must be a text of 1 to {LONGEST} characters.")


def maybe_text(holder: Mapping[str, Any], name: str, where: str) -> str | None:
    """Return a text that may be missing or null."""
    return None if holder.get(name) is None else text(holder, name, where)


def _properties(entity: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    value = entity.get("properties")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"{where}.properties must be an object.")
    return value


def question_of(body: Mapping[str, Any], app: AskingApp, scopes: frozenset[str]) -> Question:
    """Return the question of one evaluation; raise Malformed, or NotEntitled for a scope that is missing."""
    subject, action, resource = member(body, "subject"), member(body, "action"), member(body, "resource")
    context = body.get("context")
    if not context and (context is None or isinstance(context, dict)):  # most ask no more than who, what and for whom
        return Question(app=app, **_entities(subject, action, resource))
    if not isinstance(context, dict):
        raise Malformed("context must be an object.")
    purpose = context.get("purpose")
    if purpose == "":
        purpose = None
    elif purpose is not None:
        purpose = text(context, "purpose", "context")
    assume = context.get("assume_authenticated", False)
    if not isinstance(assume, bool):
        raise Malformed("context.assume_authenticated must be true or false.")
    question = Question(
        **_entities(subject, action, resource),
        app=app,
        channel=maybe_text(context, "channel", "context"),
        purpose=purpose,
        record=_record(context),
        at=moment(context),
        assume_authenticated=assume,
        supposes=supposed(context),
    )
    wants_explanation(context, scopes)
    if question.simulated:
        needs(scopes, SIMULATE)
    return question


def _entities(subject: Mapping[str, Any], action: Mapping[str, Any], resource: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "account_id": subject.get("id"),
        "subject_type": subject.get("type"),
        "entitlement": action.get("name"),
        "provider_id": resource.get("id"),
        "resource_type": resource.get("type"),
    }
    if not _all_texts(found.values()):  # which one, `text` says
        for holder, where in ((subject, "subject"), (resource, "resource")):
            text(holder, "id", where)
            text(holder, "type", where)
        text(action, "name", "action")
    found["sid"] = maybe_text(_properties(subject, "subject"), "sid", "subject.properties")
    found["line"] = maybe_text(_properties(resource, "resource"), "line_of_business", "resource.properties")
    return found


def _all_texts(values: Collection[Any]) -> bool:
    """Say whether each would do for `text`: looked at together, which takes a third of the time."""
    try:
        return "".join(values).isprintable() and all(values) and max(map(len, values)) <= LONGEST
    except TypeError:
        return False


def needs(scopes: frozenset[str], scope: str) -> None:
    """Refuse a caller without a scope."""
    if scope not in scopes:
        raise NotEntitled(
            f"This needs the scope {scope}.",
            code="insufficient_scope",
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
        )


def _record(context: Mapping[str, Any]) -> Mapping[str, Any]:
    record = context.get("record")
    if record is None:
        return {}
    if not isinstance(record, dict):
        raise Malformed("context.record must be an object.")
    for name in ("state", "billing_provider", "rendering_provider", "shared_account", "service", "location"):
        maybe_text(record, name, "context.record")
    if not isinstance(record.get("member_active", False), bool | None):
        raise Malformed("context.record.member_active must be true or false.")
    return record


def supposed(context: Mapping[str, Any]) -> tuple[Supposition, ...]:
    """Return the hypothetical changes a question is asked under; raise Malformed."""
    wanted = context.get("suppose")
    if wanted is None:
        return ()
    try:
        return supposing.read(wanted)
    except supposing.NotSupposable as problem:
        raise Malformed(f"context.suppose: {problem}") from None


def wants_explanation(context: Any, scopes: frozenset[str]) -> bool:
    """Say whether the answer is to be explained gate by gate; that needs the scope to simulate."""
    wanted = context.get("explain", False) if isinstance(context, dict) else False
    if not isinstance(wanted, bool):
        raise Malformed("context.explain must be true or false.")
    if wanted:
        needs(scopes, SIMULATE)
    return wanted


def moment(context: Mapping[str, Any]) -> datetime | None:
    """Return the moment to replay; a date alone is its start in UTC (decisions.md 12)."""
    value = maybe_text(context, "at", "context")
    if value is None:
        return None
    try:
        if len(value) == len("2026-01-31"):
            return datetime.combine(date.fromisoformat(value), time(), UTC)
        at = datetime.fromisoformat(value)
        known = None if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        known = None
    if known is None:
        raise Malformed("context.at must be a moment with a time zone, such as 2026-01-31T09:00:00Z.")
    return known


def wanted_freshness(context: Any) -> tuple[int, int] | None:
    """Return the state an answer must be computed from, or a later one; raise Malformed."""
    value = context.get("at_least_as_fresh") if isinstance(context, dict) else None
    if value is None:
        return None
    found = _FRESHNESS.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Malformed("context.at_least_as_fresh must be a freshness we gave.")
    return int(found[1]), int(found[2])


def fresh_enough(decision: Decision, context: Any) -> None:
    """Refuse to give an answer older than the caller has seen; it could only be from another database."""
    wanted = wanted_freshness(context)
    if wanted is None:
        return
    epoch, _, version = decision.freshness.partition(".")
    if int(epoch) < wanted[0] or int(version) < wanted[1]:
        raise Unavailable("We don't have the state you have seen. Ask again in a moment.")


def with_defaults(body: Mapping[str, Any], item: Any) -> dict[str, Any]:
    """Return one item of a batch: its entities and context replace the defaults whole."""
    if not isinstance(item, dict):
        raise Malformed("Each evaluation must be an object.")
    return {name: item.get(name, body.get(name)) for name in ("subject", "action", "resource", "context")}
