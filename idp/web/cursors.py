"""Where the next page of an answer begins, tied to the rest of the request, which must not change."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import orjson

from idp.database import Database
from idp.web.authzen.asked import Malformed


class Cursor:
    """The page of one request; `kind` keeps one answer's token from opening another's."""

    def __init__(self, database: Database, kind: str, body: Mapping[str, Any]) -> None:
        rest = {name: value for name, value in body.items() if name != "page"}
        self._key = database.ring.derived("cursors")
        self._tied = hashlib.sha256(kind.encode() + orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)).digest()
        self._asked = body.get("page")

    def page(self, default: int, most: int) -> tuple[int, str]:
        """Return how many are wanted and after what; raise Malformed."""
        page = self._asked
        if page is None:
            page = {}
        if not isinstance(page, dict):
            raise Malformed("page must be an object.")
        limit = page.get("limit", default)
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise Malformed("page.limit must be a whole number from 1.")
        token = page.get("token")
        return min(limit, most), "" if token in (None, "") else self._open(token)

    def token(self, last: str) -> str:
        """Return the token of the page after this one."""
        mac = hmac.digest(self._key, self._tied + last.encode(), "sha256")[:16]
        return base64.urlsafe_b64encode(mac + last.encode()).decode().rstrip("=")

    def _open(self, token: Any) -> str:
        try:
            last = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[16:].decode()
        except (TypeError, ValueError):
            raise Malformed("page.token is not one we gave.") from None
        if not last or not hmac.compare_digest(self.token(last), token.rstrip("=")):
            raise Malformed("page.token is not one we gave for this request.")
        return last
