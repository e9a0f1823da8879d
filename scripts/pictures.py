"""Take the README's pictures from a running demo: `make demo` in one terminal, then this.

Usage: python scripts/pictures.py [FOLDER OF THE DEMO]
Writes docs/pictures/sign-in.png and docs/pictures/people.png, each at 1280 pixels, below 150 kB.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from idp.demo.people import WES
from idp.demo.places import HOME, Places, remembered

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
LARGEST = 150_000


def main() -> int:
    """Sign in as the access manager and take two pictures; return the exit status."""
    home = Path(sys.argv[1]) if len(sys.argv) > 1 else HOME
    ports = remembered(home)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if ports is None or chromium is None:
        print("A running demo (make demo) and Chromium are needed.", file=sys.stderr)
        return 1
    places = Places(home, ports)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
        page = browser.new_page(viewport={"width": 1280, "height": 760}, base_url=places.main)
        page.goto("/sign-in")
        page.screenshot(path=FOLDER / "sign-in.png")
        page.get_by_label("E-mail or user name").fill(WES.user_name)
        page.get_by_role("button", name="Continue").click()
        page.get_by_label("Password").fill(WES.password)
        page.get_by_role("button", name="Sign in").click()
        # The next half-minute's code: the present one may have been used by a person at the keyboard.
        page.locator("input[name=code]").fill(WES.code(places, steps=1))
        page.get_by_role("button", name="Confirm").click()
        page.get_by_role("link", name="Manage Lakeside Clinic").first.click()
        page.screenshot(path=FOLDER / "people.png")
        browser.close()
    sizes = {path.name: path.stat().st_size for path in sorted(FOLDER.glob("*.png"))}
    print(sizes)
    return int(any(size > LARGEST for size in sizes.values()))


if __name__ == "__main__":
    sys.exit(main())
