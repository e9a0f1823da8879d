"""The log's signed promise as a file to keep (docs/security-staff.md, signed receipts)."""

from typing import Any

import orjson
from fastapi import Response

from idp.errors import NotFound


def signed(name: str, promise: dict[str, Any] | None) -> Response:
    """Return a promise as a download; raise NotFound where none was made."""
    if promise is None:
        raise NotFound("This change was made before receipts were signed.")
    headers = {"Content-Disposition": f'attachment; filename="receipt-{name}.json"', "Cache-Control": "no-store"}
    content = orjson.dumps(promise, option=orjson.OPT_INDENT_2)
    return Response(content, media_type="application/json", headers=headers)
