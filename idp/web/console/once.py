"""A change is made once: the same Idempotency-Key gives the same answer, with another request it is refused."""

import base64
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from typing import Annotated, Any, Protocol

import orjson
from fastapi import Depends, Header, Request, Response
from sqlmodel import Session as Db

from idp import clock
from idp.database import of
from idp.database.inserting import insert_unless_there
from idp.envelope import CannotOpen
from idp.errors import Conflict, Invalid, Refused
from idp.wam.tables import ApiAnswer
from idp.web.guards import Visitor

KEPT = timedelta(hours=24)
"""How long an answer is remembered."""
_PURPOSE = "answers"
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
            return _json(self._opened(db, known), known.status, replayed=True)
        try:
            body = orjson.dumps(work(), option=orjson.OPT_UTC_Z)
        except Refused:
            db.delete(known)  # also where the refusal keeps what it wrote: a key remembers what was done
            raise
        known.status, known.body = status, self._sealed(db, known, body)
        db.add(known)
        db.flush()
        return _json(body, status)

    def _sealed(self, db: Db, row: ApiAnswer, body: bytes) -> str:
        """Seal an answer: the link of an invitation is in it, which the database keeps only hashed."""
        return base64.b64encode(of(db).ring.seal(_PURPOSE, _place(row), body)).decode()

    def _opened(self, db: Db, row: ApiAnswer) -> bytes:
        try:
            return of(db).ring.open(_PURPOSE, _place(row), base64.b64decode(row.body))
        except CannotOpen:
            raise Conflict("This was done. Its answer can't be given again: the service's keys were changed.") from None


def _place(row: ApiAnswer) -> str:
    return f"api_answer.body:{row.made_by}/{row.key}"


async def _once(request: Request, key: Key) -> Once:
    body = await request.body()
    told = [request.method, request.url.path, request.url.query, sha256(body).hexdigest()]
    return Once(key, sha256(orjson.dumps(told)).hexdigest())


TheOnce = Annotated[Once, Depends(_once)]


def _json(body: bytes, status: int, *, replayed: bool = False) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"Idempotent-Replayed": "true"} if replayed else {})
    return Response(body, status, headers, "application/json")
