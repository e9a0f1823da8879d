"""The transmitter's own API: streams, their status and subjects, and the proof that one works (Shared Signals 1.0).

Every question needs the client's own token with the scope `signals:read`; which events it may have is the
operator's (`signals` of the client). Another client's stream is not found.
"""

from typing import Any

import orjson
from sqlmodel import Session as Db
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp.database import of
from idp.signals.names import EVENTS
from idp.signals.stream_tables import SignalStream
from idp.transmitter import streams
from idp.web.bearer import bearer
from idp.web.boundary import Service
from idp.web.guards import open_to_anyone
from idp.web.machines.documents import document
from idp.web.signals.asked import (
    Malformed,
    answer,
    body_of,
    in_transaction,
    maybe_text,
    nothing,
    one_query,
    own,
    text_of,
)

STREAMS = "/signals/v1/streams"
_OURS = frozenset({"iss", "aud", "events_supported", "events_delivered", "min_verification_interval"})
"""Members a receiver may send back as it read them."""
_KNOWN = frozenset({"stream_id", "delivery", "events_requested", "description", "format"}) | _OURS


def metadata(issuer: str) -> bytes:
    """Return what is published of the transmitter (Shared Signals 1.0, 7.1)."""
    here = f"{issuer}{STREAMS}"
    return orjson.dumps(
        {
            "spec_version": "1_0",
            "issuer": issuer,
            "jwks_uri": f"{issuer}/oauth/jwks",
            "delivery_methods_supported": [streams.PUSH, streams.POLL],
            "configuration_endpoint": here,
            "status_endpoint": f"{here}/status",
            "add_subject_endpoint": f"{here}/subjects/add",
            "remove_subject_endpoint": f"{here}/subjects/remove",
            "verification_endpoint": f"{here}/verify",
            "critical_subject_members": ["user"],
            "authorization_schemes": [{"spec_urn": "urn:ietf:rfc:6749"}],
            "default_subjects": "ALL",
        }
    )


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of this part of the lane."""
    about = document(metadata(service.settings.issuer), 300)

    @open_to_anyone("published for every receiver")
    async def configuration(request: Request) -> Response:
        return about.answer(request)

    async def configure(request: Request) -> Response:
        client = own(await bearer(service, request, "signals:read"))
        if request.method == "GET":
            asked = one_query(request, "stream_id")
            return answer(await in_transaction(service, lambda db: _read(db, client, asked)))
        if request.method == "DELETE":
            asked = one_query(request, "stream_id") or ""
            await in_transaction(service, lambda db: streams.end(db, streams.find(db, client, asked)))
            return nothing(204)
        body = await body_of(request)
        wish = _wish(body)
        if request.method == "POST":
            made = await in_transaction(service, lambda db: _shown(db, streams.create(db, client, wish)))
            return answer(made, 201)
        stream_id = text_of(body, "stream_id")

        def changed(db: Db) -> dict[str, Any]:
            stream = streams.find(db, client, stream_id)
            streams.change(db, stream, wish, whole=request.method == "PUT")
            return _shown(db, stream)

        return answer(await in_transaction(service, changed))

    async def status(request: Request) -> Response:
        client = own(await bearer(service, request, "signals:read"))
        if request.method == "GET":
            asked = one_query(request, "stream_id") or ""
            return answer(await in_transaction(service, lambda db: _status(streams.find(db, client, asked))))
        body = await body_of(request)
        stream_id, wanted, reason = text_of(body, "stream_id"), text_of(body, "status"), maybe_text(body, "reason")

        def changed(db: Db) -> dict[str, Any]:
            stream = streams.find(db, client, stream_id)
            streams.set_status(db, stream, wanted, reason)
            return _status(stream)

        return answer(await in_transaction(service, changed))

    async def subjects(request: Request) -> Response:
        client = own(await bearer(service, request, "signals:read"))
        body = await body_of(request)
        stream_id, account = text_of(body, "stream_id"), _account(body.get("subject"), service.settings.issuer)
        adding = request.url.path.endswith("/add")
        act = streams.take_in if adding else streams.leave_out
        await in_transaction(service, lambda db: act(db, streams.find(db, client, stream_id), account))
        return nothing(200 if adding else 204)

    async def verify(request: Request) -> Response:
        client = own(await bearer(service, request, "signals:read"))
        body = await body_of(request)
        stream_id, state = text_of(body, "stream_id"), maybe_text(body, "state")
        await in_transaction(service, lambda db: streams.verify(db, streams.find(db, client, stream_id), state))
        return nothing(204)

    return [
        Route("/.well-known/ssf-configuration", configuration, methods=["GET"]),
        Route(STREAMS, configure, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        Route(f"{STREAMS}/status", status, methods=["GET", "POST"]),
        Route(f"{STREAMS}/subjects/add", subjects, methods=["POST"]),
        Route(f"{STREAMS}/subjects/remove", subjects, methods=["POST"]),
        Route(f"{STREAMS}/verify", verify, methods=["POST"]),
    ]


def _read(db: Db, client: str, stream_id: str | None) -> Any:
    if stream_id is not None:
        return _shown(db, streams.find(db, client, stream_id))
    return [_shown(db, one) for one in streams.of_client(db, client)]


def _shown(db: Db, stream: SignalStream) -> dict[str, Any]:
    """Return a stream as its receiver sees it; what we send as Authorization is never shown."""
    issuer = of(db).settings.issuer
    allowed = streams.may_have(db, stream.client_id)
    delivery = {"method": streams.POLL, "endpoint_url": f"{issuer}/signals/v1/poll/{stream.id}"}
    if stream.method == "push":
        delivery = {"method": streams.PUSH, "endpoint_url": stream.endpoint_url or ""}
    shown = {
        "stream_id": stream.id,
        "iss": issuer,
        "aud": stream.client_id,
        "events_supported": [EVENTS[name] for name in sorted(allowed)],
        "events_requested": [EVENTS[name] for name in stream.events_requested],
        "events_delivered": [EVENTS[name] for name in stream.events_requested if name in allowed],
        "delivery": delivery,
        "min_verification_interval": int(streams.EVERY.total_seconds()),
    }
    return shown | ({"description": stream.description} if stream.description else {})


def _status(stream: SignalStream) -> dict[str, Any]:
    shown = {"stream_id": stream.id, "status": stream.status}
    return shown | ({"reason": stream.status_reason} if stream.status_reason else {})


def _wish(body: dict[str, Any]) -> streams.Wish:
    unknown = sorted(body.keys() - _KNOWN)
    if unknown:
        raise Malformed(f"{unknown[0][:50]} is not a member of a stream.")
    delivery, events = body.get("delivery"), body.get("events_requested")
    if delivery is not None and not isinstance(delivery, dict):
        raise Malformed("delivery is not an object.")
    if events is not None and not (
        isinstance(events, list) and len(events) <= 100 and all(isinstance(one, str) for one in events)
    ):
        raise Malformed("events_requested is not a list of event types.")
    said = delivery or {}
    return streams.Wish(
        method=maybe_text(said, "method"),
        # Of a polled stream the address is ours, and may be sent back as it was read.
        endpoint_url=maybe_text(said, "endpoint_url") if said.get("method") != streams.POLL else None,
        authorization=maybe_text(said, "authorization_header"),
        events=events,
        description=maybe_text(body, "description"),
    )


def _account(subject: Any, issuer: str) -> str:
    """Return the account a subject means (RFC 9493 3.2.3); raise Malformed for another format or issuer."""
    user = subject.get("user") if isinstance(subject, dict) and subject.get("format") == "complex" else subject
    if not isinstance(user, dict) or user.get("format") != "iss_sub" or user.get("iss") != issuer:
        raise Malformed("Name the person as iss_sub, with our issuer.")
    return text_of(user, "sub")
