"""Where the API lies, and how each of its routes can refuse."""

from typing import Any

from fastapi import APIRouter

from idp.web.console.bodies import Problem

PREFIX = "/api/v1/practices/{p}"
REFUSALS = {
    400: "The request can't be read",
    401: "No token in force, or a fresh second step is needed (RFC 9470: acr_values, max_age)",
    403: "The decision's reason: not entitled, or not by this person",
    404: "Not there, or not yours",
    409: "Changed or decided meanwhile, or the last one",
    422: "Fields that need repair, or an Idempotency-Key used for something else",
    429: "Too many; Retry-After says when",
}


def part(prefix: str = PREFIX) -> APIRouter:
    """Return a router of the API."""
    answers: dict[int | str, dict[str, Any]] = {
        status: {"description": words, "model": Problem} for status, words in REFUSALS.items()
    }
    return APIRouter(prefix=prefix, tags=["console"], responses=answers)
