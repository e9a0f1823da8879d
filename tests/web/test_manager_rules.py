"""Rules every page of the access manager keeps: strangers, no script, keyboard, addresses, caches."""

import re
from typing import Any

from sqlalchemy import text

from idp.database import transaction
from idp.wam.tables import Receipt
from tests.web.conftest import Site
from tests.web.test_routes import pages_of, whole

CHECK = "?f=remit.view&end=none"
"""What the page that checks a change is asked about."""


def test_ui_4_the_grant_journey_works_with_the_keyboard_alone(window: Any, site: Site) -> None:
    page = window("wes").page
    page.goto(f"/p/{site.world.lakeside}/people/{site.world.ana}/change")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "bundle":
            break
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.value") == "biller"
    page.keyboard.press("Enter")
    page.wait_for_url("**/change/check**")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "reason":
            break
    page.keyboard.type("New biller")
    page.keyboard.press("Enter")
    page.wait_for_url("**/changes/**")
    assert "is changed" in page.inner_text("h1")


def test_ui_1_everything_works_without_javascript(window: Any, site: Site) -> None:
    page = window("wes", script=False).page
    page.goto(f"/p/{site.world.lakeside}/people/{site.world.finn}/remove?line=medical&function=message.send")
    page.locator("label[for=reason-role_change]").click()
    page.get_by_role("button", name="Remove Secure messages").click()
    assert "Secure messages of Finn Oakes has ended" in page.inner_text("h1")
    page.goto(f"/p/{site.world.lakeside}/people")
    page.locator("#words").fill("finn")
    page.get_by_role("button", name="Search").click()
    assert "1 to 1 of 1" in page.inner_text("table caption")
    assert "finn" not in page.url.lower()


def test_ui_4_9_going_back_and_sending_the_form_again_gives_the_same_receipt(window: Any, site: Site) -> None:
    page = window("wes").page
    page.goto(f"/p/{site.world.lakeside}/people/{site.world.finn}/change/check?f=remit.view&end=none&bundle=front_desk")
    page.get_by_label("Reason").fill("Stand-in")
    form = page.locator("main form")
    sent = {i.get_attribute("name"): i.input_value() for i in form.locator("input").all()}
    address = form.get_attribute("action")
    first = page.request.post(address, form=sent, max_redirects=0, headers={"Origin": site.address})
    again = page.request.post(address, form=sent, max_redirects=0, headers={"Origin": site.address})
    assert first.status == again.status == 303
    assert first.headers["location"] == again.headers["location"]


def test_security_62_another_practices_manager_sees_404_for_everything_exactly_like_missing(
    window: Any, site: Site
) -> None:
    with transaction(site.world.database) as db:
        receipt = Receipt(
            kind="change",
            provider_id=site.world.lakeside,
            account_id=site.world.ana,
            made_by=site.world.wes,
            form_id="form-of-a-stranger",
            facts={},
        )
        db.add(receipt)
    page = window("otto").page
    page.goto(f"/p/{site.world.harbor}/people")
    key = page.locator("input[name=form_key]").first.get_attribute("value")
    headers = {"Accept": "text/html", "Origin": site.address}
    real = {"p": site.world.lakeside, "a": site.world.ana, "r": receipt.id}
    served = [route for route in pages_of(whole(site.settings)) if route.path.startswith("/p/{p}")]
    assert len(served) > 10
    for route in served:
        names = re.findall(r"{(\w+)}", route.path)
        there = {name: real.get(name, "xxx_there") for name in names}
        asked = [there, dict.fromkeys(names, "xxx_missing")]
        if "a" in names or "r" in names:
            asked.append({**there, "p": site.world.harbor})
        for method in (route.methods or set()) & {"GET", "POST"}:
            answers = [
                page.request.fetch(
                    route.path.format(**ids) + CHECK,
                    method=method,
                    headers=headers,
                    max_redirects=0,
                    **({"form": {"form_key": key or ""}} if method == "POST" else {}),
                )
                for ids in asked
            ]
            assert {a.status for a in answers} == {404}, f"{method} {route.path}"
            assert len({_without_reference(a.text()) for a in answers}) == 1, f"{method} {route.path}"


def test_ui_2_pages_about_people_are_never_stored_and_hashed_files_are_kept_for_good(window: Any, site: Site) -> None:
    page = window("wes").page
    answer = page.goto(f"/p/{site.world.lakeside}/people")
    assert answer.headers["cache-control"] == "no-store"
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    style = page.locator("link[rel=stylesheet]").get_attribute("href")
    kept = page.request.get(style, headers={"Accept-Encoding": "gzip"})
    assert "immutable" in kept.headers["cache-control"]
    assert kept.headers["content-encoding"] == "gzip"


def test_ui_4_10_a_stale_second_step_leads_to_confirm_and_back_to_the_same_choices(window: Any, site: Site) -> None:
    page = window("wes").page
    page.goto(f"/p/{site.world.lakeside}/people/{site.world.finn}/change/check?f=fee.view&end=none")
    with transaction(site.world.database) as db:
        db.execute(text("UPDATE session SET factor_time = factor_time - 3600000000"))
    form = page.locator("main form")
    sent = {i.get_attribute("name"): i.input_value() for i in form.locator("input").all()} | {"reason": "stand-in"}
    headers = {"Origin": site.address, "Accept": "text/html"}
    answer = page.request.post(form.get_attribute("action"), form=sent, max_redirects=0, headers=headers)
    assert answer.status == 303
    assert answer.headers["location"].startswith("/sign-in/confirm?next=%2Fp%2F")
    assert "change%2Fcheck%3Ff%3Dfee.view" in answer.headers["location"]


def test_budget_a_first_visit_stays_under_150_kb_over_the_wire(window: Any, site: Site) -> None:
    page = window("wes").page
    sizes: list[int] = []
    page.on("requestfinished", lambda r: sizes.append(r.sizes()["responseBodySize"]))
    page.goto(f"/p/{site.world.lakeside}/people")
    page.wait_for_load_state("networkidle")
    assert 0 < sum(sizes) < 150_000
    assert len(sizes) <= 8


def test_ui_4_errors_name_the_field_and_keep_what_was_chosen(window: Any, site: Site) -> None:
    eyes = window("wes")
    page = eyes.page
    page.goto(f"/p/{site.world.lakeside}/people/{site.world.ana}/change?f=remit.view&end=date&until=02/30/2027")
    page.get_by_role("button", name="Check the changes").click()
    assert page.title().startswith("Error: ")
    assert page.get_by_label("Last day").get_attribute("aria-invalid") == "true"
    assert page.get_by_label("Last day").input_value() == "02/30/2027"
    assert page.locator("#f-remit\\.view").is_checked()
    eyes.look("change-error")


def test_ui_1_refusals_are_pages_with_an_act_a_helper_and_a_reference(window: Any, site: Site) -> None:
    eyes = window("wes")
    eyes.page.goto("/nowhere")
    said = eyes.page.inner_text("main")
    assert "1-800-555-0142" in said
    assert "reference" in said
    assert eyes.page.get_by_role("button", name="Sign out").is_visible()
    assert eyes.page.get_by_role("link", name="Manage Lakeside Clinic").is_visible()
    assert eyes.page.get_by_role("link", name="Go to your home page").is_visible()
    eyes.look("error-404")
    stranger = window().page
    stranger.goto("/nowhere")
    assert stranger.get_by_role("link", name="Go to sign-in").is_visible()
    assert "Lakeside" not in stranger.content()
    assert eyes.page.goto("/security").status == 404  # no desk of theirs: as if there were none


def _without_reference(page: str) -> str:
    """Leave out what differs by nature: the reference, the form's proof, and the address that was typed."""
    return re.sub(r'm-mono">[^<]*<|value="[0-9a-f]{64}"|next=[^"]*|name="next" value="[^"]*"', "", page)
