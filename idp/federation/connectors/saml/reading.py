"""Read XML that strangers wrote: no DTD, no entities, no comments, no network, bounded in size, depth and number.

The one place that parses. Everything refused here is refused before a signature is looked at.
"""

import re
from datetime import UTC, datetime
from typing import Any, TypeAlias

from lxml import etree
from lxml.etree import _Element

from idp.federation.connectors.saml.names import PREFIXES, SAML
from idp.federation.contract import AnswerRefused

Element: TypeAlias = _Element
MESSAGE = 64_000
METADATA = 1_000_000
"""Bytes: what a form may bring, what the outbound client may fetch."""
_DEEPEST = 40
_MOST = 5_000
_MOST_METADATA = 100_000
_IDS = ("ID", "Id", "id", "{http://www.w3.org/XML/1998/namespace}id")
_MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$")


def _parser() -> etree.XMLParser:
    """Return a parser that reads what is written and fetches nothing; one a document, so threads share none."""
    return etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )


def read(data: bytes, *roots: str, longest: int = MESSAGE, message: bool = True) -> Element:
    """Return the root of a document that is one of `roots`. Raises AnswerRefused.

    Metadata (`message` false) is written by people: it may be longer and hold comments.
    """
    if len(data) > longest:
        raise AnswerRefused("xml_too_large")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise AnswerRefused("xml_not_utf8") from None
    if b"\x00" in data or b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise AnswerRefused("xml_dtd")
    try:
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, ValueError):
        raise AnswerRefused("xml_malformed") from None
    info = root.getroottree().docinfo
    if info.doctype or info.internalDTD is not None or info.externalDTD is not None:
        raise AnswerRefused("xml_dtd")
    _bounded(root, message=message)
    if message and (root.getprevious() is not None or root.getnext() is not None):
        raise AnswerRefused("xml_comment")
    if root.tag not in roots:
        raise AnswerRefused("xml_root")
    return root


def _bounded(root: Element, *, message: bool) -> None:
    """Refuse depth, number, comments, instructions, entities, and an ID that stands twice.

    No sender needs a comment in a message; two readers may disagree about the text around one.
    """
    most = _MOST if message else _MOST_METADATA
    ids: set[str] = set()
    for number, node in enumerate(root.iter()):
        if number >= most:
            raise AnswerRefused("xml_too_many")
        if not isinstance(node.tag, str):
            if not message and node.tag is etree.Comment:
                continue
            raise AnswerRefused("xml_comment")
        if sum(1 for _ in zip(node.iterancestors(), range(_DEEPEST + 1), strict=False)) > _DEEPEST:
            raise AnswerRefused("xml_too_deep")
        for name in _IDS:
            value = node.get(name)
            if value is None:
                continue
            if value in ids:
                raise AnswerRefused("xml_duplicate_id")
            ids.add(value)


def alone(parent: Element, name: str, reason: str) -> Element:
    """Return the one child of a name. Raises AnswerRefused when there is none or more than one."""
    found = parent.findall(name)
    if len(found) != 1:
        raise AnswerRefused(reason)
    return found[0]


def at_most_one(parent: Element, name: str, reason: str) -> Element | None:
    """Return the child of a name or None. Raises AnswerRefused when there is more than one."""
    found = parent.findall(name)
    if len(found) > 1:
        raise AnswerRefused(reason)
    return found[0] if found else None


def text_of(element: Element, reason: str, longest: int = 1024) -> str:
    """Return an element's whole text; refuse children (split text), emptiness, length and unprintable characters."""
    text: str | None = element.text
    if len(element) or text is None or not 1 <= len(text.strip()) <= longest or not text.strip().isprintable():
        raise AnswerRefused(reason)
    return text.strip()


def moment_of(element: Element, name: str, reason: str) -> datetime | None:
    """Return an attribute that holds a time (Core 1.3.3: UTC), or None when it is missing."""
    value = element.get(name)
    if value is None:
        return None
    return moment(value, reason)


def moment(value: str, reason: str) -> datetime:
    """Return a written time as UTC. Raises AnswerRefused."""
    if not _MOMENT.match(value):
        raise AnswerRefused(reason)
    try:
        # Nanoseconds, as some write them, are more than Python reads.
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", value))
    except ValueError:
        raise AnswerRefused(reason) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def written(at: datetime) -> str:
    """Return a time as SAML writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def make(tag: str, text: str | None = None, **attributes: str | None) -> Element:
    """Make an element with our prefixes; an attribute that is None is left out."""
    made = etree.Element(tag, {k: v for k, v in attributes.items() if v is not None}, nsmap=PREFIXES)
    made.text = text
    return made


def add(parent: Element, tag: str, text: str | None = None, **attributes: str | None) -> Element:
    """Make an element inside another."""
    made = etree.SubElement(parent, tag, {k: v for k, v in attributes.items() if v is not None})
    made.text = text
    return made


def to_bytes(element: Element) -> bytes:
    """Return an element with the namespaces it uses, without what follows it."""
    made: Any = etree.tostring(element, with_tail=False)
    return bytes(made)


def assertions_in(root: Element) -> list[Element]:
    """Return every assertion, clear or encrypted, wherever it stands."""
    return [*root.iter(f"{{{SAML}}}Assertion", f"{{{SAML}}}EncryptedAssertion")]
