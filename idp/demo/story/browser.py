"""A small browser: keeps cookies, follows redirects, reads links and forms out of HTML, sends them back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx2

from idp.demo.story.telling import StoryBroke, Teller, shown

_MOST_HOPS = 20
_SKIP = frozenset({"script", "style", "title"})
_VOID = frozenset({"input", "br", "img", "link", "meta", "hr"})


@dataclass(slots=True)
class Form:
    """A form as it stands in the page."""

    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    """What would be sent as it stands: hidden and typed values, checked boxes."""
    choices: dict[str, list[str]] = field(default_factory=dict)
    """Values of radio buttons and check boxes, checked or not."""
    buttons: list[tuple[str, str, str]] = field(default_factory=list)
    """(words, name, value) of each submit button."""


@dataclass(slots=True)
class Page:
    """One page the browser shows."""

    url: str
    status: int
    headers: httpx2.Headers
    html: str
    title: str = ""
    text: str = ""
    forms: list[Form] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    """(words, address) of each link."""

    @property
    def path(self) -> str:
        """The path of the address."""
        return urlsplit(self.url).path

    @property
    def origin(self) -> str:
        """The origin of the address."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def form(self, action: str) -> Form:
        """Return the form that goes to a path; raise StoryBroke when the page has none."""
        for each in self.forms:
            if urlsplit(urljoin(self.url, each.action)).path == action:
                return each
        raise StoryBroke(f"{shown(self.url)} has no form for {action} (title: {self.title})\n{self.text[:1500]}")

    def link(self, words: str) -> str:
        """Return the address of the link whose words contain these; raise StoryBroke when there is none."""
        for said, address in self.links:
            if words in said:
                return address
        raise StoryBroke(f"{shown(self.url)} has no link {words!r} (title: {self.title})")


class Browser:
    """One person's browser."""

    def __init__(self, owner: str, teller: Teller) -> None:
        self.owner = owner
        self._teller = teller
        self._http = httpx2.Client(
            follow_redirects=False,
            timeout=20.0,
            trust_env=False,
            headers={"Accept": "text/html,application/xhtml+xml", "User-Agent": f"Story/1.0 ({owner}'s browser)"},
        )
        self.page = Page("about:blank", 0, httpx2.Headers(), "")

    def close(self) -> None:
        """Close the browser."""
        self._http.close()

    def open(self, url: str, *, stop_at: str | None = None) -> Page:
        """Go to an address and follow redirects; stop before one that begins with `stop_at`."""
        return self._go("GET", url, None, stop_at)

    def follow(self, words: str) -> Page:
        """Click a link."""
        return self.open(urljoin(self.page.url, self.page.link(words)))

    def submit(self, action: str, typed: Mapping[str, str | list[str]] | None = None, *, button: str = "") -> Page:
        """Fill in the form that goes to `action` and press a button (by its words; else the first)."""
        form = self.page.form(action)
        sent = {name: list(values) for name, values in form.fields.items()}
        for name, value in (typed or {}).items():
            if name not in form.fields and name not in form.choices:
                raise StoryBroke(f"The form for {action} has no field {name}: {sorted(form.fields | form.choices)}")
            sent[name] = list(value) if isinstance(value, list) else [value]
        pressed = next((b for b in form.buttons if button in b[0]), None)
        if pressed is None:
            raise StoryBroke(f"The form for {action} has no button {button!r}")
        if pressed[1]:
            sent[pressed[1]] = [pressed[2]]
        where = urljoin(self.page.url, form.action)
        if form.method == "get":
            query = str(httpx2.QueryParams(sent))
            return self.open(f"{where.partition('?')[0]}?{query}")
        return self._go("POST", where, sent, None)

    def _go(self, method: str, url: str, fields: dict[str, list[str]] | None, stop_at: str | None) -> Page:
        came_from = self.page.origin if self.page.url.startswith("http") else None
        for _ in range(_MOST_HOPS):
            headers = {"Origin": came_from} if method == "POST" and came_from else {}
            try:
                answer = self._http.request(method, url, data=fields, headers=headers)
            except httpx2.HTTPError as problem:
                raise StoryBroke(f"{shown(url)} did not answer: {type(problem).__name__}") from None
            to = urljoin(url, answer.headers["location"]) if answer.is_redirect else None
            told = {name: ", ".join(values) for name, values in (fields or {}).items()}
            self._teller.sent(method, url, told, answer.status_code, to)
            if to is None or (stop_at and to.startswith(stop_at)):
                self.page = read(to or url, answer)
                return self.page
            method, url, fields = "GET", to, None
        raise StoryBroke(f"More than {_MOST_HOPS} redirects, the last to {shown(url)}")

    def walk(self, until: Callable[[Page], bool], answers: dict[str, Callable[["Browser"], object]]) -> Page:
        """Answer page after page until one fits; `answers` says what to do on a path (`origin + path` beats `path`)."""
        for _ in range(_MOST_HOPS):
            if until(self.page):
                return self.page
            known = answers.get(self.page.origin + self.page.path) or answers.get(self.page.path)
            if known is None or self.page.status >= 400:
                raise StoryBroke(
                    f"{self.owner} did not expect this page: {self.page.status} {shown(self.page.url)}, "
                    f"{self.page.title!r}\n{self.page.text[:1500]}"
                )
            known(self)
        raise StoryBroke(f"{self.owner} goes in circles at {shown(self.page.url)}")


def read(url: str, answer: httpx2.Response) -> Page:
    """Read a page."""
    page = Page(url, answer.status_code, answer.headers, answer.text)
    if "html" in answer.headers.get("content-type", ""):
        reader = _Reader(page)
        reader.feed(answer.text)
        page.text = " ".join(" ".join(reader.words).split())
        page.title = " ".join(page.title.split())
    return page


class _Reader(HTMLParser):
    """Collects text, links and forms."""

    def __init__(self, page: Page) -> None:
        super().__init__(convert_charrefs=True)
        self._page = page
        self.words: list[str] = []
        self._inside: list[str] = []
        self._form: Form | None = None
        self._link: tuple[list[str], str] | None = None
        self._button: tuple[list[str], str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._inside.append(tag)
        if tag == "form":
            method = given.get("method", "get").lower()
            self._form = Form(given.get("action") or self._page.url, method)
            self._page.forms.append(self._form)
        elif tag == "a" and "href" in given:
            self._link = ([], given["href"])
        elif tag == "button":
            self._button = ([], given.get("name", ""), given.get("value", ""))
        elif tag in ("input", "textarea") and self._form is not None:
            self._input(self._form, given)

    def _input(self, form: Form, given: dict[str, str]) -> None:
        name, kind, value = given.get("name", ""), given.get("type", "text"), given.get("value", "")
        if kind == "submit":
            form.buttons.append((value, name, value))
        elif kind in ("radio", "checkbox"):
            value = given.get("value", "on")
            form.choices.setdefault(name, []).append(value)
            if "checked" in given and "disabled" not in given:
                form.fields.setdefault(name, []).append(value)
        elif name and "disabled" not in given:
            form.fields.setdefault(name, []).append(value)

    def handle_endtag(self, tag: str) -> None:
        while self._inside and tag in self._inside:
            if self._inside.pop() == tag:
                break
        if tag == "form":
            self._form = None
        elif tag == "a" and self._link is not None:
            self._page.links.append((" ".join("".join(self._link[0]).split()), self._link[1]))
            self._link = None
        elif tag == "button" and self._button is not None:
            words, name, value = self._button
            if self._form is not None:
                self._form.buttons.append((" ".join("".join(words).split()), name, value))
            self._button = None

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[-1] == "title":
            self._page.title += data
        if not _SKIP.intersection(self._inside):
            self.words.append(data)
        for open_ in (self._link, self._button):
            if open_ is not None:
                open_[0].append(data)
