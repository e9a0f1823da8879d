"""Register and change clients and resource servers: configuration, checked, logged, one policy epoch each."""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sqlmodel import Session as Db

from idp import entropy
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import Invalid
from idp.oauth.client_facts import AUTH_METHODS, GRANTS, ID_TOKEN_ALGORITHMS, Audience, ClientFacts, hash_of
from idp.oauth.tables import Client, ResourceServer
from idp.partners.tables import Partner
from idp.providers.tables import LINES
from idp.settings import is_loopback
from idp.signals import epochs, revocations
from idp.signals.names import EVENTS
from idp.signatures import BadToken, keys_from_jwks

__all__ = [
    "Audience",
    "ClientFacts",
    "Registered",
    "add_secret",
    "change",
    "home_of",
    "register",
    "set_resource_server",
]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,99}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")
_SECRETS = ("client_secret_basic", "client_secret_post")
SECRET_LENGTH = 32
"""Characters a supplied secret needs at least, since it is stored as SHA-256 (decisions.md 4)."""
FIELDS = frozenset(Client.model_fields) - {"client_id", "created_at", "secret_hashes"}


@dataclass(frozen=True, slots=True)
class Registered:
    """A new client and, where we made it, its secret; the secret is nowhere else."""

    client: Client
    secret: str | None


def home_of(client: Client) -> str | None:
    """Return where a person opens an app: the origin of its first address on the web; None for a mobile app."""
    if client.channel == "mobile":
        return None
    for address in client.redirect_uris:
        parts = urlsplit(address)
        if parts.scheme in ("https", "http") and parts.netloc:
            return f"{parts.scheme}://{parts.netloc}/"
    return None


def register(db: Db, *, client_id: str, secret: str | None = None, **fields: Any) -> Registered:
    """Register a client; a client that uses a secret gets one of 256 bits unless one is supplied.

    Raises Invalid naming each field that needs mending.
    """
    problems: dict[str, str] = {}
    if not _ID.fullmatch(client_id):
        problems["client_id"] = "Use 1 to 100 letters, digits, dots, dashes or underscores."
    elif db.get(Client, client_id) is not None:
        problems["client_id"] = "A client with this id exists already."
    _known(fields)
    wanted = {"name": client_id, **_DEFAULTS, **fields}
    made = None
    if wanted["auth_method"] in _SECRETS and secret is None:
        made = secret = entropy.token()
    client = Client(client_id=client_id, secret_hashes=[hash_of(secret)] if secret else [], **wanted)
    problems |= _problems(db, client, secret)
    if problems:
        raise Invalid(fields=problems)
    db.add(client)
    epochs.changed_policy(db)
    log.record(db, Event("oauth.client.registered", client=client_id, details={"class": client.client_class}))
    db.flush()
    return Registered(client, made)


def change(db: Db, client_id: str, *, secret: str | None = None, **fields: Any) -> list[str]:
    """Change a client; return the names of the fields that differ now, empty when nothing did.

    A supplied secret becomes the only one in force. Raises Invalid.
    """
    client = db.get(Client, client_id)
    if client is None:
        raise Invalid(fields={"client_id": "There is no client with this id."})
    _known(fields)
    changed = [name for name, value in fields.items() if getattr(client, name) != value]
    for name in changed:
        setattr(client, name, fields[name])
    if secret is not None and client.secret_hashes != [hash_of(secret)]:
        client.secret_hashes = [hash_of(secret)]
        changed.append("secret")
    if client.auth_method not in _SECRETS and client.secret_hashes:
        client.secret_hashes = []
        changed.append("secret")
    if not changed:
        return []
    problems = _problems(db, client, secret)
    if problems:
        raise Invalid(fields=problems)
    db.add(client)
    epochs.changed_policy(db)
    if "status" in changed and client.status != "active":
        revocations.announce(db, "client_suspended", reason=client.status, client_id=client_id)
    log.record(db, Event("oauth.client.changed", client=client_id, details={"fields": sorted(changed)}))
    db.flush()
    return sorted(changed)


def add_secret(db: Db, client_id: str, secret: str | None = None) -> str:
    """Give a client a second secret for a change-over (ours unless supplied); of more than two the oldest goes."""
    client = db.get(Client, client_id)
    if client is None or client.auth_method not in _SECRETS:
        raise Invalid(fields={"client_id": "There is no client with this id that uses a secret."})
    if secret is not None and len(secret) < SECRET_LENGTH:
        raise Invalid(fields={"secret": f"A supplied secret needs {SECRET_LENGTH} characters or more."})
    secret = secret or entropy.token()
    client.secret_hashes = [*client.secret_hashes, hash_of(secret)][-2:]
    db.add(client)
    epochs.changed_policy(db)
    log.record(db, Event("oauth.client.changed", client=client_id, details={"fields": ["secret"]}))
    db.flush()
    return secret


def set_resource_server(
    db: Db,
    *,
    identifier: str,
    name: str = "",
    client_id: str | None = None,
    access_token_alg: str = "ES256",
    scopes: list[str] | None = None,
) -> bool:
    """Record an API as an audience, new or changed; return whether anything differs now. Raises Invalid.

    The issuer itself may be recorded to name the client, such as a gateway before our own APIs, that may
    introspect tokens made for us (security.md 51).
    """
    parts = urlsplit(identifier)
    if not parts.scheme or parts.fragment or " " in identifier or len(identifier) > 500:
        raise Invalid(fields={"identifier": "Use an absolute URI without a fragment (RFC 8707)."})
    if access_token_alg not in ID_TOKEN_ALGORITHMS:
        raise Invalid(fields={"access_token_alg": "Use ES256 or RS256."})
    wanted = {"name": name, "client_id": client_id, "access_token_alg": access_token_alg, "scopes": scopes or []}
    known = db.get(ResourceServer, identifier)
    if known is not None and all(getattr(known, key) == value for key, value in wanted.items()):
        return False
    row = known or ResourceServer(identifier=identifier, scopes=[])
    for key, value in wanted.items():
        setattr(row, key, value)
    db.add(row)
    epochs.changed_policy(db)
    log.record(db, Event("service.settings.changed", details={"resource_server": identifier}))
    db.flush()
    return True


_DEFAULTS: dict[str, Any] = {
    "auth_method": "client_secret_basic",
    "redirect_uris": [],
    "post_logout_redirect_uris": [],
    "signals": [],
    "grant_types": ["authorization_code"],
    "scopes": ["openid"],
    "audiences": [],
    "lines": ["medical"],
}


def _known(fields: dict[str, Any]) -> None:
    unknown = sorted(set(fields) - FIELDS)
    if unknown:
        raise Invalid(fields=dict.fromkeys(unknown, "This is not a field of a client."))


def _problems(db: Db, client: Client, secret: str | None) -> dict[str, str]:
    """Return field -> sentence for everything wrong with a client."""
    found: dict[str, str] = {}
    choices = {
        "client_class": ("own", "affiliate", "third_party"),
        "channel": ("site", "mobile", "third_party_site"),
        "status": ("active", "suspended", "ended"),
        "auth_method": AUTH_METHODS,
        "id_token_alg": ID_TOKEN_ALGORITHMS,
        "pkce": ("required", "optional"),
        "default_line": tuple(client.lines) if client.lines else LINES,
    }
    for name, allowed in choices.items():
        if getattr(client, name) not in allowed:
            found[name] = f"Use one of {', '.join(allowed)}."
    if not set(client.lines) <= set(LINES) or not client.lines:
        found["lines"] = f"Use one or more of {', '.join(LINES)}."
    if not set(client.grant_types) <= set(GRANTS):
        found["grant_types"] = f"Use only {', '.join(GRANTS)}."
    elif "client_credentials" in client.grant_types and client.auth_method == "none":
        found["grant_types"] = "A public client cannot use client_credentials (RFC 6749 4.4)."
    elif "refresh_token" in client.grant_types and "authorization_code" not in client.grant_types:
        found["grant_types"] = "refresh_token needs authorization_code."
    if secret is not None and len(secret) < SECRET_LENGTH:
        found["secret"] = f"A supplied secret needs {SECRET_LENGTH} characters or more."
    if secret is not None and client.auth_method not in _SECRETS:
        found["secret"] = f"A client with {client.auth_method} has no secret."
    if client.auth_method in _SECRETS and not client.secret_hashes:
        found["secret"] = "Give a secret."
    if client.pkce == "optional" and client.auth_method == "none":
        found["pkce"] = "PKCE is required of public clients (RFC 9700 2.1.1)."
    if not all(isinstance(s, str) and _SCOPE.fullmatch(s) for s in client.scopes):
        found["scopes"] = "A scope is printable ASCII without spaces, quotes and backslashes."
    if client.auth_method == "private_key_jwt":
        try:
            usable = client.jwks is not None and len(keys_from_jwks(client.jwks)) > 0
        except BadToken:
            usable = False
        if not usable:
            found["jwks"] = "Give a JWKS with at least one public signing key."
        elif any("d" in key for key in (client.jwks or {}).get("keys", [])):
            found["jwks"] = "Give public keys only; never send us a private one."
    if client.partner_id is not None and db.get(Partner, client.partner_id) is None:
        found["partner_id"] = "There is no partner with this id."
    development = of(db).settings.development
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        bad = [uri for uri in getattr(client, name) if not _acceptable(uri, client.channel, development)]
        if bad:
            found[name] = f"Not an acceptable address: {bad[0]}"
    if "authorization_code" in client.grant_types and not client.redirect_uris:
        found["redirect_uris"] = "Give at least one address for authorization_code."
    if not set(client.signals) <= set(EVENTS):
        found["signals"] = f"Use only {', '.join(EVENTS)}."
    back = client.backchannel_logout_uri
    if back is not None and not _acceptable(back, "site", development):
        found["backchannel_logout_uri"] = "Use https."
    return found


def _acceptable(uri: Any, channel: str, development: bool) -> bool:
    """Judge an address: https; http on loopback for mobile apps or development; mobile apps' own schemes."""
    if not isinstance(uri, str) or any(c.isspace() or c in '<>"\\^`{|}#*' for c in uri) or not uri.isascii():
        return False
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return False
    if parts.scheme == "https":
        return bool(parts.hostname) and "@" not in parts.netloc
    if parts.scheme == "http":
        return is_loopback(uri) and "@" not in parts.netloc and (development or channel == "mobile")
    # A private-use scheme is a reversed domain name (RFC 8252 7.1), so never javascript: or data:.
    return channel == "mobile" and "." in parts.scheme
