"""The database is away: people read a page, machines read problem details, nobody a stack of braces."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.sign_in_world import World, filling, sign_in, world

__all__ = ["filling", "world"]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_page_without_its_database_is_a_page(world: World, tmp_path: Path) -> None:
    browser = sign_in(world.browser())
    site: TestClient = world.sites[world.settings.issuer]
    world.database.engine.dispose()
    file = Path(str(world.database.engine.url.database))
    aside = file.rename(tmp_path / "aside")
    file.mkdir()  # what is there is no database, however often it is opened
    page = browser.get("/account/activity")
    assert page.status == 503
    assert page.response.headers["content-type"].startswith("text/html")
    assert page.response.headers["Retry-After"]
    assert "We can't answer just now" in page.text
    assert "1-800-555-0142" in page.text
    assert page.click("Try again").status == 503
    machine = site.get("/account/activity", headers={"accept": "application/json", "cookie": "idp_8000_session=x"})
    assert (machine.status_code, machine.headers["content-type"]) == (503, "application/problem+json")
    file.rmdir()
    aside.rename(file)
    assert browser.get("/account/activity").status == 200
