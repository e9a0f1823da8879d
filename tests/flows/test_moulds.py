"""A page from a mould is the page: letter for letter what the template makes of the same facts."""

from typing import Any

import pytest

from idp.web import moulds, pages
from tests.sign_in_world import World

NAMES = ["ana.ruiz", "a", '"><script>alert(1)</script>', "o'neil & söhne", "-flow-", "x" * 200]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_page_from_a_mould_is_the_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str]] = []
    real = moulds.filled

    def both(render: Any, template: str, settings: Any, facts: Any, *, own: Any, typed: Any) -> str:
        made = real(render, template, settings, facts, own=own, typed=typed)
        seen.append((made, render({**facts, **typed})))
        return made

    monkeypatch.setattr(pages.moulds, "filled", both)
    monkeypatch.setattr(moulds, "_moulds", type(moulds._moulds)())
    for name in NAMES:
        browser = world.browser().get("/sign-in?next=/account")
        browser.submit("Continue", username=name)
        assert "Enter your password" in browser.text
        assert moulds._secret not in browser.response.text
        if name in NAMES[:3]:
            browser.submit("Sign in", password="wrong")
            assert browser.status == 401
            assert "don't match" in browser.text
    assert len(seen) == 2 * len(NAMES) + 3
    assert all(made == plain for made, plain in seen)
    assert len(moulds._moulds) == 3, "one for each of the two pages and for a wrong password, whoever comes"
