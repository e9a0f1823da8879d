"""A small user agent for tests: follows redirects over several sites, fills forms, keeps cookies.

It speaks like a person: `click("Sign in")`, `submit("Continue", username="ana.ruiz")`. Hidden fields are sent as
a browser would send them. Each Browser has its own cookies; the applications behind it are shared.
"""

import html
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

import httpx2
from starlette.testclient import TestClient


@dataclass
class FoundForm:
    action: str = ""
    method: str = "get"
    fields: list[tuple[str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    buttons: dict[str, tuple[str, str] | None] = field(default_factory=dict)


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[FoundForm] = []
        self.links: list[tuple[str, str]] = []
        self.title = ""
        self._form: FoundForm | None = None
        self._collect: list[str] | None = None
        self._href = ""
        self._area = ""
        self._button: tuple[str, str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if tag == "form":
            self._form = FoundForm(found.get("action", ""), found.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "input" and self._form is not None and "name" in found:
            self._form.names.add(found["name"])
            kind = found.get("type", "text")
            if kind not in ("checkbox", "radio", "submit") or "checked" in found:
                self._form.fields.append((found["name"], found.get("value", "")))
        elif tag == "select" and self._form is not None:
            self._form.names.add(found["name"])
        elif tag == "textarea" and self._form is not None:
            self._form.names.add(found["name"])
            self._collect, self._area = [], found["name"]
        elif tag == "button" and self._form is not None:
            self._collect = []
            self._button = (found["name"], found.get("value", "")) if "name" in found else None
        elif tag == "a":
            self._collect, self._href = [], found.get("href", "")
        elif tag == "title":
            self._collect = []

    def handle_data(self, data: str) -> None:
        if self._collect is not None:
            self._collect.append(data)

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._collect or []).split())
        if tag == "textarea" and self._form is not None:
            self._form.fields.append((self._area, "".join(self._collect or [])))
            self._collect = None
        elif tag == "form":
            self._form = None
        elif tag == "button" and self._form is not None:
            self._form.buttons[text] = self._button
            self._collect = None
        elif tag == "a" and self._collect is not None:
            self.links.append((text, self._href))
            self._collect = None
        elif tag == "title":
            self.title = text
            self._collect = None


class Browser:
    """One person's browser. `sites` maps an origin to the TestClient that answers for it."""

    def __init__(
        self, sites: dict[str, TestClient], home: str, agent: str = "Mozilla/5.0 (Windows) Chrome/156"
    ) -> None:
        self.sites = sites
        self.home = home
        self.agent = agent
        self.cookies: dict[str, dict[str, str]] = {}
        self.url = home
        self.left: str | None = None
        """Where a redirect led that no site of ours answers for, such as an app's address."""
        self.response: httpx2.Response
        self.trail: list[str] = []
        self.stop_at: str | None = None
        """An origin that is not followed to; the redirect is left in `left` instead."""

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def text(self) -> str:
        """What a reader sees, without tags."""
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", self.response.text)).split())

    @property
    def page(self) -> _Page:
        return _Page(self.response.text)

    @property
    def title(self) -> str:
        return self.page.title

    def get(self, address: str) -> "Browser":
        self._go("GET", urljoin(self.url, address), None)
        return self

    def post(self, address: str, fields: dict[str, str], **headers: str) -> "Browser":
        """Post fields just so, as an attacker's page could."""
        self._go("POST", urljoin(self.home, address), list(fields.items()), headers)
        return self

    def click(self, text: str) -> "Browser":
        for words, href in self.page.links:
            if text in words:
                return self.get(href)
        raise AssertionError(f"no link {text!r} on {self.url}; there are {[words for words, _ in self.page.links]}")

    def form(self, button: str) -> FoundForm:
        for one in self.page.forms:
            if any(button in words for words in one.buttons):
                return one
        raise AssertionError(f"no button {button!r} on {self.url} ({self.status}): {self.text[:600]}")

    def submit(self, button: str, **fields: str | list[str]) -> "Browser":
        """Fill the form that has this button, and press it."""
        form = self.form(button)
        unknown = set(fields) - form.names
        if unknown:
            raise AssertionError(f"the form has no {unknown}, only {form.names}")
        sent = [(name, value) for name, value in form.fields if name not in fields]
        for name, value in fields.items():
            sent.extend((name, each) for each in ([value] if isinstance(value, str) else value))
        pressed = next(named for words, named in form.buttons.items() if button in words)
        if pressed:
            sent.append(pressed)
        target = urljoin(self.url, form.action)
        if form.method == "get":
            self._go("GET", target + "?" + urlencode(sent), None)
        else:
            origin = "{0.scheme}://{0.netloc}".format(urlsplit(self.url))
            self._go("POST", target, sent, {"origin": origin})
        return self

    def form_key(self) -> str:
        """The proof a form of the present page carries."""
        return dict(self.page.forms[0].fields)["form_key"]

    def flow(self) -> str:
        """The journey the present page's form belongs to."""
        return next(value for form in self.page.forms for name, value in form.fields if name == "flow")

    def cookie(self, name: str) -> str | None:
        """The value of one of our cookies, by the end of its name."""
        found = self.cookies.get(urlsplit(self.home).netloc, {})
        return next((value for key, value in found.items() if key.endswith(name)), None)

    def _go(
        self, method: str, url: str, fields: list[tuple[str, str]] | None, headers: dict[str, str] | None = None
    ) -> None:
        self.left = None
        for _ in range(15):
            parts = urlsplit(url)
            origin = f"{parts.scheme}://{parts.netloc}"
            if origin not in self.sites or origin == self.stop_at:
                self.left = url
                return
            self.trail.append(f"{method} {parts.path}")
            self._ask(method, origin, url, fields, headers or {})
            self.url = url
            if self.response.status_code not in (301, 302, 303, 307):
                return
            url = urljoin(url, self.response.headers["location"])
            method, fields, headers = "GET", None, None
        raise AssertionError(f"the browser was sent round in circles: {self.trail[-15:]}")

    def _ask(
        self, method: str, origin: str, url: str, fields: list[tuple[str, str]] | None, headers: dict[str, str]
    ) -> None:
        site = self.sites[origin]
        jar = self.cookies.setdefault(urlsplit(origin).netloc, {})
        sent = {"accept": "text/html", "user-agent": self.agent, **headers}
        if jar and "no-cookies" not in headers:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        sent.pop("no-cookies", None)
        content = None
        if fields is not None:
            content = urlencode(fields)
            sent["content-type"] = "application/x-www-form-urlencoded"
        site.cookies.clear()
        self.response = site.request(method, url, content=content, headers=sent, follow_redirects=False)
        site.cookies.clear()
        for line in self.response.headers.get_list("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            if "max-age=0" in line.lower() or "expires=thu, 01 jan 1970" in line.lower():
                jar.pop(name, None)
            else:
                jar[name] = value
