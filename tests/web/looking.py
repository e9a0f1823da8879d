"""What is wrong with a page that is open in a browser: too wide, or not accessible (ui.md 5)."""

from collections.abc import Iterator
from pathlib import Path

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Page

WIDTHS = ((390, 844), (1280, 900))
"""A phone and a desktop, in pixels; the last one is how the page is left."""
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_AXE = Path(AXE_FILE_PATH).read_text(encoding="utf-8")
# preload: false, or axe fetches and parses the style sheets again, for rules that are not asked.
_ASK = """([tags, contrast]) => axe.run(document, {runOnly: tags, resultTypes: ['violations'], preload: false,
  rules: {'color-contrast': {enabled: contrast}}})
  .then(r => r.violations.map(v => v.id + ': ' + v.help + ' ' + v.nodes.map(n => n.target).slice(0, 4)))"""


def problems(page: Page, name: str, pictures: Path | None) -> Iterator[str]:
    """Look at both widths; yield what is wrong. `pictures` is where the two pictures go."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_AXE)
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        if pictures:
            page.screenshot(path=pictures / f"{name}-{width}.png", full_page=True)
        page.wait_for_load_state()  # what was pressed a moment ago may be arriving just now
        spare = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if spare > 0:
            yield f"{spare} px too wide at {width}"
        # Colors are the same at both widths, and slow to ask about.
        if found := page.evaluate(_ASK, [_TAGS, width > 640]):
            yield f"axe at {width}: {found}"
