"""The names of SAML 2.0, XML Signature and XML Encryption that are used here."""

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
MD = "urn:oasis:names:tc:SAML:2.0:metadata"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
PREFIXES = {"saml": SAML, "samlp": SAMLP, "md": MD, "ds": DS, "xenc": XENC}

REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
ENTITY = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
PARTIAL_LOGOUT = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout"
DECLINED = frozenset(
    f"urn:oasis:names:tc:SAML:2.0:status:{word}" for word in ("AuthnFailed", "RequestDenied", "NoPassive")
)


def saml(name: str) -> str:
    """Return a name of the assertion namespace as lxml writes it."""
    return f"{{{SAML}}}{name}"


def samlp(name: str) -> str:
    """Return a name of the protocol namespace."""
    return f"{{{SAMLP}}}{name}"


def md(name: str) -> str:
    """Return a name of the metadata namespace."""
    return f"{{{MD}}}{name}"


def ds(name: str) -> str:
    """Return a name of XML Signature."""
    return f"{{{DS}}}{name}"


def xenc(name: str) -> str:
    """Return a name of XML Encryption."""
    return f"{{{XENC}}}{name}"
