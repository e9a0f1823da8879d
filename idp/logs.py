"""Structured logs: one JSON object a line, without secrets, tokens or query strings (security.md 86).

What happened and who did it belongs to the audit log; these lines are for those who run the service.
Libraries log through the same scrubbing, and some of them never below INFO whatever IDP_LOG_LEVEL says.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import orjson

if "rich" not in sys.modules:
    # structlog brings rich in for its developer console; our lines are JSON, and rich would cost every worker
    # about 9 MiB and a tenth of a second of its start. None makes that one import fail quietly.
    sys.modules["rich"] = None  # type: ignore[assignment]
    import structlog

    del sys.modules["rich"]
else:
    import structlog

PINNED = {
    logging.INFO: ("authlib", "joserfc", "jose", "asyncio", "asyncpg", "psycopg", "multipart", "python_multipart"),
    logging.WARNING: ("httpx", "httpx2", "httpcore", "httpcore2", "hpack", "urllib3", "sqlalchemy"),
}
"""Libraries that are never heard below a level: they write tokens, parameters or whole addresses there."""
HIDDEN = "[hidden]"
_SECRET_NAMES = re.compile(
    r"pass(word|wd|phrase)|secret|token|authorization|cookie|assertion|(^|_)code($|_)|verifier|private|api_?key|otp|"
    r"credential|master_key|^key$|signature|form_key|state$|nonce",
    re.IGNORECASE,
)
_SCRUBBED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"eyJ[\w-]{4,}\.[\w-]+(\.[\w-]*)?"), HIDDEN),  # JWTs, whole or without signature
    (re.compile(r"\b(Basic|Bearer|DPoP)\s+[\w.~+/=-]+", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"\?[^\s\"'<>]*=[^\s\"'<>]*"), f"?{HIDDEN}"),  # query strings
    (re.compile(r"://[^/\s:@]+:[^@\s/]+@"), f"://{HIDDEN}@"),  # user:password in URLs
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), HIDDEN),
    (re.compile(r"\[parameters: .*"), f"[parameters: {HIDDEN}]"),  # SQLAlchemy's errors
    (
        re.compile(r"DETAIL:.*?(?=\n\n(?:The above|During)|\n\[SQL: |\Z)", re.DOTALL),
        f"DETAIL: {HIDDEN}",
    ),  # PostgreSQL's errors quote the row
    (
        re.compile(
            r"(?P<name>[\w-]*(password|secret|token|assertion|verifier|cookie|code|form_key)[\w-]*[\"']?\s*[=:]\s*)"
            r"(?P<quote>[\"']?)[^\s\"'&,;}]+(?P=quote)",
            re.IGNORECASE,
        ),
        rf"\g<name>{HIDDEN}",
    ),
)


def scrub(value: str) -> str:
    """Return text without what looks like a token, a secret or a query string."""
    for pattern, instead in _SCRUBBED:
        value = pattern.sub(instead, value)
    return value


def _clean(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, bytes):
        return HIDDEN
    if isinstance(value, dict) and depth < 4:
        return {
            str(name): HIDDEN if _SECRET_NAMES.search(str(name)) else _clean(item, depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple) and depth < 4:
        return [_clean(item, depth + 1) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return scrub(str(value))


def _without_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in list(event):
        if name in ("exc_info", "_record", "_from_structlog", "stack_info"):
            continue
        event[name] = HIDDEN if _SECRET_NAMES.search(name) else _clean(event[name])
    return event


def _json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    return orjson.dumps(dict(event), default=str).decode()


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every log of this process to `stream` (default: standard error) as JSON lines."""
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,  # frames without the values of variables
                _without_secrets,
                _json,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for least, names in PINNED.items():
        for name in names:
            logging.getLogger(name).setLevel(max(least, root.level))
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # Its lines carry the query string; web/measured.py writes ours.
    logging.getLogger("uvicorn.access").handlers.clear()
    logging.getLogger("uvicorn.access").propagate = False
    logging.getLogger("uvicorn.access").disabled = True
