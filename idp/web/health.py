"""Liveness, readiness and metrics."""

import ipaddress
import os

import orjson
import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from idp import configuration
from idp.audit import checkpoint, origin
from idp.database import reading, schema
from idp.settings import NotConfigured
from idp.web.bearer import bearer
from idp.web.boundary import Service, service_of
from idp.web.guards import open_to_anyone

router = APIRouter()
_log = structlog.get_logger("idp.health")
_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "forwarded", "via", "x-real-ip")


@router.get("/healthz", include_in_schema=False)
@open_to_anyone("says only that the process answers")
async def healthz() -> Response:
    """Answer while the process lives; asks nothing of the database."""
    return Response(b"ok\n", media_type="text/plain")


@router.get("/readyz", include_in_schema=False)
@open_to_anyone("says only which part is missing, for the balancer in front")
def readyz(request: Request) -> Response:
    """Answer 200 when this worker can serve, else 503 with what is missing (security.md 88, 89)."""
    missing = what_is_missing(service_of(request))
    body = {"ready": not missing, "missing": missing}
    return Response(orjson.dumps(body), 503 if missing else 200, media_type="application/json")


def what_is_missing(service: Service) -> list[str]:
    """Name what keeps this worker from serving."""
    missing = ["stopping"] if service.parts.get("stopping") else []
    try:
        if not schema.known(service.database):
            missing.append("schema")
        with reading(service.database) as session:
            configuration.current(session)
            if not session.execute(text("SELECT count(*) FROM signing_key WHERE state = 'active'")).scalar():
                missing.append("signing_keys")
    except SQLAlchemyError as problem:
        _log.warning("not_ready", cause=type(problem).__name__)
        missing.append("database")
    try:
        checkpoint.load_key(service.settings.audit_key_file)
    except NotConfigured:
        missing.append("checkpoint_key")
    return missing


@router.get("/metrics", include_in_schema=False)
@open_to_anyone("answers this machine itself without a token; everybody else needs the scope audit:read")
async def metrics(request: Request) -> Response:
    """Show what was counted, in Prometheus' form; never to the public."""
    if not _from_this_machine(request):
        await bearer(service_of(request), request, "audit:read")
    body = await run_in_threadpool(generate_latest, _registry())
    return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _registry() -> CollectorRegistry:
    """Return this worker's counters, or every worker's where PROMETHEUS_MULTIPROC_DIR is set."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together


def _from_this_machine(request: Request) -> bool:
    """Say whether the caller is a process here, not somebody behind a proxy that runs here."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(origin.current().address or "").is_loopback
    except ValueError:
        return False
