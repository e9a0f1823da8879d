"""Logs are JSON lines and hold no secrets, however hard one tries (security.md 86)."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from sqlalchemy import text
from starlette.testclient import TestClient

from idp import logs
from idp.app import create_app
from idp.database import Database, transaction
from idp.settings import Settings

JWT = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJzdWIiOiJhY2NfMSJ9.c2lnbmF0dXJlLWJ5dGVz"
SECRETS = (
    "hunter2-hunter2",
    "cODe-9f8a7b6c5d",
    JWT,
    "s3cr3t-of-the-client",
    "c29tZSBiYXNpYyBhdXRo",
    "qv-77-query-value",
)


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    held = io.StringIO()
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    logs.configure("DEBUG", held)
    yield held
    root.handlers[:], level = before
    root.setLevel(level)
    structlog.reset_defaults()


def test_security_86_secrets_driven_through_every_way_in_never_reach_the_log(stream: io.StringIO) -> None:
    password, code, jwt, client_secret, basic, query = SECRETS
    log = structlog.get_logger("idp.test")
    log.info("signing_in", password=password, code=code, access_token=jwt, details={"client_secret": client_secret})
    log.info("called", url=f"https://app.example/cb?code={code}&state={query}")
    log.warning(" ".join(("upstream answered", f"id_token={jwt} for Authorization: Basic {basic}")))
    log.info("headers", values=[f"Bearer {jwt}", f"password={password}"], raw=password.encode())
    foreign = logging.getLogger("some.library")
    foreign.warning("POST body: %s", f"grant_type=password&password={password}&client_secret={client_secret}")
    foreign.info("fetching https://user:%s@host/path?token=%s", password, query)
    logging.getLogger("authlib").debug("token response: %s", {"access_token": jwt})
    logging.getLogger("authlib.oauth2").debug("credentials %s", client_secret)
    logging.getLogger("uvicorn.access").info('127.0.0.1 - "GET /oauth/authorize?code_challenge=%s"', query)
    try:
        int(f"cannot use {{'password': '{password}', 'refresh_token': '{jwt}'}}")
    except ValueError:
        log.exception("failed")
        foreign.exception("failed too")
    written = stream.getvalue()
    for secret in SECRETS:
        assert secret not in written
    lines = [json.loads(line) for line in written.splitlines()]
    assert len(lines) == 8
    assert lines[0]["event"] == "signing_in"
    assert {"timestamp", "level", "logger"} <= set(lines[0])
    assert "Traceback" in lines[-1]["exception"]


def test_security_86_database_errors_do_not_quote_the_row(stream: io.StringIO, database: Database) -> None:
    insert = text("INSERT INTO throttle (key, failures, last_at, created_at) VALUES (:key, 0, 0, 0)")
    row = {"key": f"ana@example.org {SECRETS[0]}"}
    try:
        with transaction(database) as session:
            for _ in range(2):
                session.execute(insert, row)
    except Exception:
        structlog.get_logger("idp.test").exception("failed")
    assert "IntegrityError" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


def test_security_86_a_request_is_logged_by_its_route_without_query(stream: io.StringIO, settings: Settings) -> None:
    with TestClient(create_app(settings), base_url=settings.issuer) as browser:
        browser.get("/healthz?token=qv-77-query-value", headers={"Authorization": f"Bearer {JWT}"})
        browser.get("/nowhere/hunter2-hunter2?code=cODe-9f8a7b6c5d")
    written = stream.getvalue()
    answered = [json.loads(line) for line in written.splitlines() if '"answered"' in line]
    assert {(line["route"], line["status"]) for line in answered} == {("/healthz", 200), ("unmatched", 404)}
    for secret in SECRETS:
        assert secret not in written


def test_the_level_is_kept_and_authlib_stays_above_debug(stream: io.StringIO) -> None:
    logs.configure("WARNING", stream)
    structlog.get_logger("idp.test").info("not heard")
    assert stream.getvalue() == ""
    logs.configure("DEBUG", stream)
    assert logging.getLogger("authlib").getEffectiveLevel() == logging.INFO
