"""The few facts kept of what an identity provider sends (T-28): a name and an e-mail, shown and never matched."""

from typing import Any

from idp.federation.connectors.saml.names import saml
from idp.federation.connectors.saml.reading import Element

_NAMES = {
    "name": (
        "displayName",
        "name",
        "urn:oid:2.16.840.1.113730.3.1.241",
        "http://schemas.microsoft.com/identity/claims/displayname",
    ),
    "email": (
        "mail",
        "email",
        "emailAddress",
        "urn:oid:0.9.2342.19200300.100.1.3",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
    ),
}
_MOST = 50
_KEPT_AS = {theirs: ours for ours, known in _NAMES.items() for theirs in known}


def facts(signed: Element) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return name and e-mail of an assertion's attributes, and the names of what is left out."""
    found: dict[str, Any] = {}
    left_out = []
    for attribute in signed.findall(f"{saml('AttributeStatement')}/{saml('Attribute')}"):
        name = attribute.get("Name") or ""
        kept = _KEPT_AS.get(name)
        values = attribute.findall(saml("AttributeValue"))
        text = (values[0].text or "").strip() if len(values) == 1 and not len(values[0]) else ""
        if kept is not None and kept not in found and text and text.isprintable():
            found[kept] = text[:254]
        elif name.isprintable():
            left_out.append(name[:100])
    return found, tuple(sorted(left_out)[:_MOST])
