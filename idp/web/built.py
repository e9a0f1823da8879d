"""The built assets: style, fonts, icons under hashed names, packed once and kept by browsers for a year."""

import json
import mimetypes
from functools import lru_cache
from pathlib import Path

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
_MANIFEST = STATIC / "built" / "manifest.json"
_FOREVER = "public, max-age=31536000, immutable"
REPAIR = "Run in the checkout: make assets (or: python scripts/assets.py)"
_log = structlog.get_logger("idp.web")
mimetypes.add_type("font/woff2", ".woff2")


@lru_cache(maxsize=1)
def _files(written: int) -> dict[str, str]:
    """Return name -> hashed name; read again only when the assets were built again."""
    if not written:
        _log.warning("assets_not_built", repair="run: python scripts/assets.py")
        return {}
    files: dict[str, str] = json.loads(_MANIFEST.read_text())["files"]
    return files


def _written() -> int:
    try:
        return _MANIFEST.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def missing() -> str | None:
    """Say what is missing of the built assets, None when all of it is there; pages work without, as plain text."""
    if not _MANIFEST.exists():
        return "The pages' style, fonts and icons are not built, so pages look like plain text."
    gone = sorted(name for name, file in _files(_written()).items() if not (_MANIFEST.parent / file).is_file())
    return f"Built files of the pages are missing: {', '.join(gone)}." if gone else None


def asset(name: str) -> str:
    """Return the address of a built file, such as `asset("site.css")`."""
    return f"/static/built/{_files(_written()).get(name, name)}"


class Files(StaticFiles):
    """Serves `static/`: hashed files as immutable, text files packed for browsers that accept it."""

    def __init__(self) -> None:
        super().__init__(directory=STATIC, check_dir=False)

    async def check_config(self) -> None:
        """Ask nothing of the folder: where the files are not built there is none, and each is a 404, not a fault."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with the packed twin where there is one; a browser keeps what lies under `built/`."""
        accepts = Headers(scope=scope).get("accept-encoding", "")
        packed = path.startswith("built/") and "gzip" in accepts and (STATIC / f"{path}.gz").is_file()
        response = await super().get_response(f"{path}.gz" if packed else path, scope)
        if path.startswith("built/") and response.status_code in (200, 304):
            response.headers["Cache-Control"] = _FOREVER
            response.headers["Vary"] = "Accept-Encoding"
            if packed:
                response.headers["Content-Encoding"] = "gzip"
                kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
                response.headers["Content-Type"] = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
        return response
