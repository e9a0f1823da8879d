"""Pages of a list by a sealed cursor: where the next one begins, tied to the list, the person and the query."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Query
from sqlmodel import Session as Db

from idp.database import of
from idp.envelope import CannotOpen
from idp.errors import Invalid
from idp.web.guards import Acting

Limit = Annotated[int, Query(ge=1, le=200, description="Rows of a page.")]
After = Annotated[str, Query(max_length=1000, description="The `next` of the page before; empty for the first.")]
_Row = TypeVar("_Row")


class Cursor:
    """Where one list of one person goes on."""

    def __init__(self, db: Db, acting: Acting, what: str, **query: Any) -> None:
        tied = orjson.dumps([what, acting.provider.id, acting.visitor.account.id, query], option=orjson.OPT_SORT_KEYS)
        self._ring, self._tied = of(db).ring, f"console:{tied.decode()}"

    def opened(self, after: str) -> list[Any] | None:
        """Return the key the page begins after; None for the first page. Raises Invalid for a foreign cursor."""
        if not after:
            return None
        try:
            sealed = urlsafe_b64decode(after + "=" * (-len(after) % 4))
            found = orjson.loads(self._ring.open("cursors", self._tied, sealed))
        except (ValueError, CannotOpen):
            raise Invalid(fields={"after": "This is not a cursor we gave for this list."}) from None
        assert isinstance(found, list)
        return found

    def next(self, key: Sequence[Any]) -> str:
        """Return the cursor of the page that begins after this key."""
        sealed = self._ring.seal("cursors", self._tied, orjson.dumps(list(key)))
        return urlsafe_b64encode(sealed).decode().rstrip("=")

    def cut(
        self, rows: Sequence[_Row], key: Callable[[_Row], Sequence[Any]], after: str, limit: int
    ) -> tuple[list[_Row], str | None]:
        """Return one page of rows that are sorted by their key, and the cursor of the next page."""
        begin = self.opened(after)
        left = [row for row in rows if begin is None or list(key(row)) > begin]
        more = len(left) > limit
        return left[:limit], self.next(key(left[limit - 1])) if more else None
