"""Liveness, readiness, metrics."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from idp import metrics, migrate
from idp.app import create_app
from idp.audit.checkpoint import make_key
from idp.database import Database, schema
from idp.settings import Settings


@pytest.fixture
def browser(settings: Settings) -> Iterator[TestClient]:
    app = create_app(settings)
    with TestClient(app, base_url=settings.issuer, client=("127.0.0.1", 5000)) as client:
        yield client


def _run(database: Database, statement: str) -> None:
    with database.engine.connect() as connection:
        connection.exec_driver_sql(statement)
        connection.commit()


def test_the_schema_we_ask_for_is_the_newest_revision(database: Database) -> None:
    assert migrate.state(database) == (schema.NEWEST, schema.NEWEST)


def test_a_worker_is_ready_only_with_schema_keys_and_database(browser: TestClient, settings: Settings) -> None:
    assert browser.get("/healthz").text == "ok\n"
    service = browser.app.state.service  # type: ignore[attr-defined]
    _run(service.database, "UPDATE signing_key SET state = 'retiring' WHERE state = 'active'")
    answer = browser.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "missing": ["signing_keys", "checkpoint_key"]}
    make_key(settings.audit_key_file)
    _run(service.database, "UPDATE signing_key SET state = 'active' WHERE state = 'retiring'")
    assert browser.get("/readyz").json() == {"ready": True, "missing": []}
    service.parts["stopping"] = True
    assert browser.get("/readyz").json()["missing"] == ["stopping"]
    del service.parts["stopping"]
    _run(service.database, "UPDATE alembic_version SET version_num = '9999'")
    assert browser.get("/readyz").json()["missing"] == ["schema"]


def test_metrics_are_for_this_machine_or_a_token_and_count_by_route(browser: TestClient) -> None:
    browser.get("/security/records/17")
    body = browser.get("/metrics").text
    assert 'idp_requests_total{method="GET",route="/healthz",status="200"}' in body or "idp_requests_total" in body
    assert "records/17" not in body
    assert "idp_audit_sealed_total" in body
    assert browser.get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 401


def test_metrics_are_not_for_other_machines(settings: Settings) -> None:
    app = create_app(settings)
    with TestClient(app, base_url=settings.issuer, client=("203.0.113.7", 5000)) as client:
        assert client.get("/metrics").status_code == 401


@pytest.mark.parametrize("path", ["/oauth/token", "/sign-in"])
def test_who_leaves_before_the_question_is_whole_is_no_fault_of_ours(browser: TestClient, path: str) -> None:
    def count(status: int) -> float:
        return float(metrics.REQUESTS.labels("POST", path, status)._value.get())

    app, sent = browser.app, list[Any]()
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": path, "raw_path": path.encode(),
        "query_string": b"", "root_path": "", "scheme": "http", "server": ("localhost", 8000),
        "client": ("127.0.0.1", 5001),
        "headers": [(b"host", b"localhost:8000"), (b"content-type", b"application/x-www-form-urlencoded"),
                    (b"content-length", b"40")],
    }  # fmt: skip

    async def leave() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    before = count(499), count(500)
    assert browser.portal is not None
    browser.portal.call(app, scope, leave, send)
    assert (count(499), count(500)) == (before[0] + 1, before[1])
    assert sent == []
