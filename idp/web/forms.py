"""Forms of our pages: read once, without duplicates or unknown fields, with proof of where they came from."""

import hmac
from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from idp.errors import Refused
from idp.settings import Settings
from idp.web import cookies
from idp.web.boundary import service_of

CSRF_FIELD = "form_key"
_MOST_OF_A_FILE = 400_000
"""Bytes."""


class ForeignForm(Refused):
    """The form was not sent from a page of ours in this browser (security.md 26)."""

    status = 403
    code = "foreign_form"
    title = "This form was not sent from our page"

    def __init__(self) -> None:
        super().__init__("The form had expired or came from somewhere else. Open the page again and repeat.")


class Form(dict[str, str]):
    """The fields of a form; a field sent twice is kept only in `many`."""

    many: dict[str, list[str]]

    def of(self, *names: str) -> list[str]:
        """Return the stripped values of several fields, empty where missing."""
        return [self.get(name, "").strip() for name in names]

    def list_of(self, name: str) -> list[str]:
        """Return every value of a field that may repeat (check boxes)."""
        return self.many.get(name, [])


def key_for(settings: Settings, forms_key: bytes, browser: str) -> str:
    """Return the proof a form carries: only a page shown to this browser can know it."""
    return hmac.new(forms_key, f"{settings.issuer}\n{browser}".encode(), sha256).hexdigest()


async def _read(request: Request) -> Form:
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise Refused("Send this as a form.", code="wrong_content_type")
    try:
        sent = await request.form(max_files=1, max_fields=2000, max_part_size=_MOST_OF_A_FILE)
    except Exception as problem:
        raise Refused("The form could not be read.", code="unreadable_form") from problem
    try:
        items = [
            (name, await _text_of(value) if isinstance(value, UploadFile) else value)
            for name, value in sent.multi_items()
        ]
    finally:
        await sent.close()
    return checked(request, items)


async def _text_of(file: UploadFile) -> str:
    """Read a file of a form as text; whoever sends a file sends it as the field's value."""
    if (file.size or 0) > _MOST_OF_A_FILE:
        raise Refused("The file is too large. Send a smaller one.", code="file_too_large")
    try:
        return (await file.read()).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(
            "The file is not text in UTF-8. Save it as CSV UTF-8 and send it again.", code="unreadable_file"
        ) from None


def checked(request: Request, items: Iterable[tuple[str, object]]) -> Form:
    """Return the fields of a form that proves where it came from; raise ForeignForm otherwise."""
    service = service_of(request)
    form = Form()
    form.many = {}
    for name, value in items:
        if isinstance(value, str):
            if "\x00" in value:
                raise Refused("The form holds a character that can't be used.", code="unreadable_form")
            form.many.setdefault(name, []).append(value)
    for name, values in form.many.items():
        if len(values) == 1:
            form[name] = values[0]
    _check_origin(request, service.settings, service.database.ring.derived("forms"), form)
    form.pop(CSRF_FIELD, None)
    return form


def _check_origin(request: Request, settings: Settings, forms_key: bytes, form: Form) -> None:
    came_from = request.headers.get("origin")
    if came_from is not None and came_from != settings.issuer:
        raise ForeignForm
    browser = cookies.read(request, settings, cookies.FLOW)
    proof = form.get(CSRF_FIELD, "")
    if browser is None or not hmac.compare_digest(proof.encode(), key_for(settings, forms_key, browser).encode()):
        raise ForeignForm


TheForm = Annotated[Form, Depends(_read)]
"""A form sent by one of our pages; refused otherwise."""
