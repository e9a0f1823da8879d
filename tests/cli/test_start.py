"""What a worker imports before its first answer: every package here lengthens every start."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from idp.database.types import Row
from tests.engines import MASTER_KEYS, SqliteEngine

LOADED = {
    # the server and what people's pages are made of
    *("uvicorn", "uvloop", "httptools", "h11", "click", "starlette", "anyio", "idna", "sniffio", "fastapi"),
    *("annotated_doc", "opentelemetry", "python_multipart", "multipart", "email_validator", "markupsafe"),
    # what tables and settings are made of
    *("pydantic", "pydantic_core", "pydantic_settings", "dotenv", "annotated_types", "typing_extensions"),
    *("typing_inspection", "typing_inspect", "sqlmodel", "sqlalchemy", "greenlet", "orjson"),
    # what signs, counts and tells
    *("cryptography", "_cffi_backend", "bcrypt", "joserfc", "authlib", "pyotp", "structlog", "prometheus_client"),
    # the drivers of both databases, and uvicorn's extras
    *("asyncpg", "psycopg", "psycopg_binary", "websockets", "watchfiles", "yaml", "dns"),
}
"""The packages a worker may have loaded by its first answer."""
AREAS = """
apply cli.app demo merging sharing resource_server federation.connectors.oidc federation.connectors.saml
outbound.exchange web.manager web.desk web.me web.registration web.recover web.outside_saml web.invited
web.linked cases.opening cases.file providers.nppes providers.registry_tables audit.search audit.verify wam
registration leaving
"""
LATER = tuple(f"idp.{name}." for name in AREAS.split())
"""Areas and parts of ours whose first use is later: pages (idp/web/areas.py), jobs, tools."""
PROGRAM = """
import sys
ENVIRONMENT = set(sys.modules)  # what the environment itself loads, such as setuptools' hook
import asyncio, os
from idp.cli import serving  # what a worker's process calls
async def first_answer():
    app, said = serving.application(), []
    async def receive(): return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message): said.append(message)
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
             "path": "/healthz", "raw_path": b"/healthz", "query_string": b"", "root_path": "",
             "headers": [(b"host", b"localhost:8000")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000)}
    async with app.router.lifespan_context(app):
        await app(scope, receive, send)
        assert said[0]["status"] == 200, said
        print(*sorted(name for name in sys.modules if name.startswith("idp.")))
        print(*sorted({name.split(".")[0] for name, module in sys.modules.items()
                       if name not in ENVIRONMENT and "site-packages" in (getattr(module, "__file__", None) or "")}))
asyncio.run(first_answer())
"""


def test_performance_a_worker_answers_first_and_imports_what_is_rare_later(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    engine: SqliteEngine = request.getfixturevalue("_sqlite")
    with engine.fresh(tmp_path) as url:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("IDP_")},
            "IDP_ISSUER": "http://localhost:8000",
            "IDP_DEVELOPMENT": "1",
            "IDP_DATABASE_URL": url,
            "IDP_MASTER_KEYS": MASTER_KEYS,
            "IDP_AUDIT_KEY_FILE": str(tmp_path / "audit.pem"),
            "IDP_JOBS": "0",
        }
        done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ours, packages = (set(line.split()) for line in done.stdout.splitlines())
    assert {"fastapi", "uvicorn"} <= packages
    surplus = packages - LOADED
    assert not surplus, (
        f"imported before the first answer: {sorted(surplus)}. Import what is rare inside the function that needs it, "
        "in the one module that owns the package (docs/performance.md, cold start)."
    )
    early = sorted(name for name in ours if f"{name}.".startswith(LATER))
    assert not early, f"loaded before the first answer, but of use only later: {early}"
    _every_key_is_known(ours)


def _every_key_is_known(loaded: set[str]) -> None:
    """A table may refer to its own module's tables and to those loaded at the start: SQLAlchemy asks for them."""
    for found in Path("idp").rglob("*tables.py"):
        importlib.import_module(".".join(found.with_suffix("").parts))
    home = {mapper.local_table.name: mapper.class_.__module__ for mapper in Row._sa_registry.mappers}
    needed = {
        (mapper.class_.__module__, home[key.target_fullname.split(".")[0]])
        for mapper in Row._sa_registry.mappers
        for key in mapper.local_table.foreign_keys
    }
    assert {(at, to) for at, to in needed if at != to and to not in loaded} == set()
