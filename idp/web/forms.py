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
_PROOF = sha256().digest_size * 2
"""Letters of a proof before the mark of who it was shown to."""
_MOST_OF_A_FILE = 400_000
"""Bytes."""


class ForeignForm(Refused):
    """The form was not sent from a page of ours in this browser (security.md 26)."""

    status = 403
    code = "foreign_form"
    title = "This form was not sent from our page"

    def __init__(self) -> None:
        super().__init__("The form had expired or came from somewhere else. Open the page again and repeat.")


class ShownToAnother(Refused):
    """The form was shown to one person, and another is signed in on this browser now (shared workstations)."""

    status = 403
    code = "shown_to_another_person"
    title = "Somebody else is signed in now"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"This form was shown to another person on this computer. {name} is signed in now, so nothing was done. "
            "Open the page again to go on, or sign out first if you are somebody else."
        )


class Form(dict[str, str]):
    """The fields of a form; a field sent twice is kept only in `many`."""

    many: dict[str, list[str]]

    def of(self, *names: str) -> list[str]:
        """Return the stripped values of several fields, empty where missing."""
        return [self.get(name, "").strip() for name in names]

    def list_of(self, name: str) -> list[str]:
        """Return every value of a field that may repeat (check boxes)."""
        return self.many.get(name, [])


def key_for(settings: Settings, forms_key: bytes, browser: str, account_id: str | None = None) -> str:
    """Return the proof a form carries: only a page shown to this browser can know it.

    It ends with a mark of who was signed in; a page that was shown to nobody in particular has none.
    """
    return _proof(settings, forms_key, browser, "" if account_id is None else _mark_of(forms_key, account_id))


def _proof(settings: Settings, forms_key: bytes, browser: str, mark: str) -> str:
    told = f"{settings.issuer}\n{browser}\n{mark}"
    return hmac.new(forms_key, told.encode(errors="replace"), sha256).hexdigest() + mark


def _mark_of(forms_key: bytes, account_id: str) -> str:
    return hmac.new(forms_key, f"shown to\n{account_id}".encode(), sha256).hexdigest()[:32]


def same_person(request: Request) -> None:
    """Compare who a form was shown to with who sends it, as soon as both are known; raise ShownToAnother.

    Asked by whichever is learned last: guards.visitor, or the form. Who is signed out by now is for the guards.
    """
    mark, person = getattr(request.state, "shown_to", ""), getattr(request.state, "person", None)
    if not mark or person is None:
        return
    forms_key = service_of(request).database.ring.derived("forms")
    if not hmac.compare_digest(mark, _mark_of(forms_key, person.account.id)):
        raise ShownToAnother(person.account.display_name)


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
    form = _fields(items)
    _check_origin(request, service.settings, service.database.ring.derived("forms"), form)
    form.pop(CSRF_FIELD, None)
    return form


def _check_origin(request: Request, settings: Settings, forms_key: bytes, form: Form) -> None:
    came_from = request.headers.get("origin")
    if came_from is not None and came_from != settings.issuer:
        raise ForeignForm
    browser = cookies.read(request, settings, cookies.FLOW)
    proof = form.get(CSRF_FIELD, "")
    mark = proof[_PROOF:]
    if browser is None or not hmac.compare_digest(
        proof.encode(errors="replace"), _proof(settings, forms_key, browser, mark).encode(errors="replace")
    ):
        raise ForeignForm
    request.state.shown_to = mark
    same_person(request)


def _fields(items: Iterable[tuple[str, object]]) -> Form:
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
    return form


def in_address(request: Request) -> Form:
    """Return choices that an address keeps, so that back and reload keep them; nothing may be done by them alone."""
    return _fields(request.query_params.multi_items())


TheForm = Annotated[Form, Depends(_read)]
"""A form sent by one of our pages; refused otherwise."""
