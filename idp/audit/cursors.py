"""Signed places in a list of the log: a page goes on only where we said, for the filters we said it of."""

import base64
import hmac
from dataclasses import dataclass
from hashlib import sha256

import orjson
from sqlmodel import Session

from idp.audit.filters import Filters
from idp.database import of
from idp.errors import Invalid


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins."""

    direction: str
    """`o` for older records, `n` for newer."""
    seq: int
    total: int = 0
    at_least: bool = False
    """What the first page counted, where counting again would cost as much again."""


def cursor_of(session: Session, filters: Filters, place: Place) -> str:
    """Return the signed form of a place."""
    body = f"{place.direction}{place.seq}.{place.total}.{int(place.at_least)}".encode()
    return base64.urlsafe_b64encode(_mark(session, filters, body) + body).decode().rstrip("=")


def opened(session: Session, filters: Filters, cursor: str) -> Place:
    """Return the place; raise Invalid for one that we did not give for these filters."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError:
        raw = b""
    mark, body = raw[:16], raw[16:]
    if not body or not hmac.compare_digest(mark, _mark(session, filters, body)):
        raise Invalid(fields={"cursor": "This place in the list is not one we gave. Start the search again."})
    seq, total, at_least = body[1:].split(b".")
    return Place(body[:1].decode(), int(seq), int(total), at_least == b"1")


def _mark(session: Session, filters: Filters, body: bytes) -> bytes:
    bound = body + b"\n" + orjson.dumps(filters.given(), option=orjson.OPT_SORT_KEYS)
    return hmac.new(of(session).ring.derived("cursors"), b"audit-search\n" + bound, sha256).digest()[:16]
