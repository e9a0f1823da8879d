"""A change is made once: the same Idempotency-Key gives the same answer, with another request it is refused."""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Any, Protocol

import orjson
from fastapi import Depends, Header, Request, Response
from sqlmodel import Session as Db

from idp import clock
from idp.database.inserting import insert_unless_there
from idp.errors import Invalid
from idp.wam.tables import ApiAnswer
from idp.web.guards import Visitor

KEPT = timedelta(hours=24)
"""How long an answer is remembered."""
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=16,
        max_length=64,
        pattern="^[A-Za-z0-9_-]+$",
        description="Chosen by the caller for this one change; sent again, it gives the same answer for 24 hours.",
    ),
]


class KeyReused(Invalid):
    """The key was used for another request."""

    code = "idempotency_key_reused"
    title = "This key was used for something else"


class By(Protocol):
    """Whoever makes the change."""

    @property
    def visitor(self) -> Visitor:
        """The person and their session."""
        ...


class Once:
    """One change of one request."""

    def __init__(self, key: str, digest: str) -> None:
        self._key, self._digest = key, digest

    def form_id(self, acting: By) -> str:
        """Return the id by which the domain knows this change, as it knows a form of the pages."""
        return sha256(f"api/{acting.visitor.account.id}/{self._key}".encode()).hexdigest()[:40]

    def answer(self, db: Db, acting: By, work: Callable[[], Any], status: int = 200) -> Response:
        """Do the work and keep its answer with it, all or nothing; or give the answer it had. Raises KeyReused."""
        by = acting.visitor.account.id
        row = ApiAnswer(
            made_by=by, key=self._key, digest=self._digest, status=0, body="", expires_at=clock.now() + KEPT
        )
        fresh = insert_unless_there(db, ApiAnswer, row.model_dump())
        known = db.get(ApiAnswer, (by, self._key), populate_existing=True)
        assert known is not None
        if not fresh:
            if known.digest != self._digest:
                raise KeyReused("Use a new Idempotency-Key for each change.")
            return _json(known.body, known.status, replayed=True)
        known.status, known.body = status, orjson.dumps(work(), option=orjson.OPT_UTC_Z).decode()
        db.add(known)
        db.flush()
        return _json(known.body, status)


async def _once(request: Request, key: Key) -> Once:
    body = await request.body()
    told = [request.method, request.url.path, request.url.query, sha256(body).hexdigest()]
    return Once(key, sha256(orjson.dumps(told)).hexdigest())


TheOnce = Annotated[Once, Depends(_once)]


def _json(body: str, status: int, *, replayed: bool = False) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"Idempotent-Replayed": "true"} if replayed else {})
    return Response(body, status, headers, "application/json")
