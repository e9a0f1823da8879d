"""What anybody may check of the log: its newest signed checkpoint, that it only grew, that a record stands in it.

Nothing here says more than sizes and hashes; each leaf holds 16 random bytes, so its hash says nothing of it.
"""

import base64
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy import text
from sqlmodel import Session

from idp.audit import proofs
from idp.database import reading
from idp.errors import NotFound
from idp.web.boundary import TheService
from idp.web.guards import open_to_anyone

router = APIRouter()
_NEWEST = text("SELECT note FROM audit_checkpoint ORDER BY number DESC LIMIT 1")


@router.get("/log/v1/checkpoint", include_in_schema=False)
@open_to_anyone("a size and a hash, signed: what witnesses and readers compare")
def checkpoint(service: TheService) -> Response:
    """Return the newest checkpoint's signed note (c2sp.org/tlog-checkpoint)."""
    with reading(service.database) as db:
        note = db.execute(_NEWEST).scalar()
    if note is None:
        raise NotFound("Nothing is sealed yet.")
    return PlainTextResponse(str(note))


@router.get("/log/v1/consistency", include_in_schema=False)
@open_to_anyone("hashes only; a stretch is bounded")
def consistency(service: TheService, *, old: int, new: int) -> Response:
    """Prove that the tree of `old` records is the beginning of that of `new`; both are sizes of checkpoints."""
    with reading(service.database) as db:
        found = proofs.consistency(db, old, new)
    return JSONResponse({"old": old, "new": new, "path": [_b64(node) for node in found]})


@router.get("/log/v1/inclusion/{number}", include_in_schema=False)
@open_to_anyone("hashes only")
def inclusion(service: TheService, number: int) -> Response:
    """Prove that a record stands in the tree of the checkpoint it was sealed under."""
    with reading(service.database) as db:
        return JSONResponse(told(db, number))


def told(db: Session, number: int) -> dict[str, Any]:
    """Return the proof as it is given out, for `receipts.py --proof`; raise NotFound for what is not sealed."""
    found = proofs.inclusion(db, number) if 0 < number < 2**63 else None
    if found is None:
        raise NotFound("There is no sealed record of this number.")
    return {
        "number": number,
        "index": found.index,
        "size": found.size,
        "leaf_hash": _b64(found.leaf),
        "path": [_b64(node) for node in found.path],
        "checkpoint": found.note,
    }


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()
