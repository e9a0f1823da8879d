"""The built files of the pages, and a checkout where nobody has built them."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from idp.web import built


@pytest.mark.parametrize("path", ["/", "/built/site.css", "/built/", "/%2e%2e/pages.py", "/x%00y"])
def test_ui_a_file_that_was_never_built_is_not_found_and_no_fault(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(built, "STATIC", tmp_path / "nowhere")
    browser = TestClient(built.Files(), raise_server_exceptions=True)
    assert _status(browser, path) in (400, 404)


def _status(browser: TestClient, path: str) -> int:
    from starlette.exceptions import HTTPException

    try:
        return browser.get(path).status_code
    except HTTPException as refused:
        return refused.status_code
