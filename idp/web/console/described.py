"""The API under its prefix, and its description: OpenAPI, served at a stable address."""

from functools import lru_cache

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.openapi.utils import get_openapi

from idp.web.boundary import service_of
from idp.web.console import (
    changes,
    claims,
    company,
    company_people,
    delegations,
    first_managers,
    inbox,
    invited,
    managers,
    own,
    people,
    reports,
    resting,
    reviews,
)
from idp.web.console.routing import REFUSALS
from idp.web.guards import open_to_anyone

VERSION = "1.0"
INTRODUCTION = """Everything the access manager's console does, by the same rules.

Send a person's access token of scope `wam` for the practice in the path (for a company: of its administrator, made
for no practice; for one's own acts, under `me`, of the person), whose session is fresh enough: reading needs a
second step, changing one within 15 minutes. Each change carries an Idempotency-Key. Refusals are problem details
(RFC 9457). Lists go on with the `next` of the page before as `after`."""
router = APIRouter()
for one in (
    people,
    changes,
    inbox,
    invited,
    reviews,
    reports,
    managers,
    delegations,
    resting,
    first_managers,
    company,
    company_people,
    own,
    claims,
):
    router.include_router(one.router)


@router.get("/api/v1/openapi.json", include_in_schema=False)
@open_to_anyone("a description of the API tells nothing that is not in the documentation")
def description(request: Request) -> Response:
    """Return the description."""
    return Response(
        _described(service_of(request).settings.issuer),
        media_type="application/json",
        headers={"Cache-Control": "public, max-age=3600"},
    )


@lru_cache(maxsize=2)
def _described(issuer: str) -> bytes:
    made = get_openapi(
        title="Access manager's console",
        version=VERSION,
        description=INTRODUCTION,
        routes=router.routes,
        servers=[{"url": issuer}],
    )
    made["components"].setdefault("securitySchemes", {})["person"] = {
        "type": "oauth2",
        "description": "A person's token of scope wam, made for one practice",
        "flows": {
            "authorizationCode": {
                "authorizationUrl": f"{issuer}/oauth/authorize",
                "tokenUrl": f"{issuer}/oauth/token",
                "scopes": {"wam": "Manage people's access"},
            }
        },
    }
    made["security"] = [{"person": ["wam"]}]
    for path in made["paths"].values():
        for operation in path.values():
            for status in REFUSALS:
                answer = operation["responses"].get(str(status), {})
                if "content" in answer:
                    answer["content"] = {"application/problem+json": answer["content"]["application/json"]}
    return orjson.dumps(made)
