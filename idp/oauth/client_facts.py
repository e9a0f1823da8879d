"""Clients: what a downstream app or service may do here, and how it proves who it is.

`ClientFacts` is the frozen picture every request works with; it is kept in memory and valid for one
policy epoch (decisions.md 3). It answers the questions Authlib's framework asks of a client.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from idp.signatures import Keys, keys_from_jwks

GRANTS = ("authorization_code", "refresh_token", "client_credentials")
AUTH_METHODS = ("none", "client_secret_basic", "client_secret_post", "private_key_jwt")
ID_TOKEN_ALGORITHMS = ("ES256", "RS256")
IN_GOOD_STANDING = frozenset({"active", "review_overdue"})
"""Partner statuses under which its people and apps are served (decisions.md 12, gate 9)."""


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """One client as the rules see it."""

    client_id: str
    name: str
    client_class: str
    channel: str
    status: str
    partner_id: str | None
    partner_in_good_standing: bool
    auth_method: str
    secret_hashes: tuple[bytes, ...] = field(repr=False)
    keys: Keys | None = field(repr=False)
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    backchannel_logout_uri: str | None
    grant_types: frozenset[str]
    scopes: frozenset[str]
    audiences: tuple[str, ...]
    entitlements: frozenset[str] | None
    """Catalogue keys it may ask about; None means all."""
    lines: tuple[str, ...]
    default_line: str
    acts_for_provider: bool
    first_party: bool
    continue_page: bool
    id_token_alg: str
    pkce: str
    require_par: bool
    """Whether its authorization requests have to be pushed (RFC 9126)."""
    token_status_list: bool
    """Whether its access tokens have a place in a status list."""
    help_url: str | None

    @property
    def usable(self) -> bool:
        """Say whether the client is served at all: active, and its partner in good standing."""
        return self.status == "active" and self.partner_in_good_standing

    @property
    def pkce_required(self) -> bool:
        """Say whether an authorization request without a challenge is refused (security.md 42)."""
        return not (self.pkce == "optional" and self.auth_method != "none")

    # What Authlib asks of a client (authlib.oauth2.rfc6749.ClientMixin).

    def get_client_id(self) -> str:
        """Return the id."""
        return self.client_id

    def get_default_redirect_uri(self) -> str | None:
        """Return the address used when a request names none: only where exactly one is registered."""
        return self.redirect_uris[0] if len(self.redirect_uris) == 1 else None

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Return what may be had of the asked scopes; everything registered when none was asked.

        None refuses: Authlib turns it into `invalid_scope` (stack.md 3.4.10).
        """
        if not scope:
            return " ".join(sorted(self.scopes))
        kept = [name for name in dict.fromkeys(scope.split()) if name in self.scopes]
        return " ".join(kept) if kept else None

    def check_redirect_uri(self, uri: str) -> bool:
        """Compare exactly; on mobile clients a loopback address may have any port (RFC 8252 7.3)."""
        if uri in self.redirect_uris:
            return True
        if self.channel != "mobile":
            return False
        asked = _without_loopback_port(uri)
        return asked is not None and any(asked == _without_loopback_port(known) for known in self.redirect_uris)

    def check_client_secret(self, secret: str) -> bool:
        """Compare with every secret in force, in constant time (security.md 59)."""
        given = sha256(secret.encode("utf-8", "surrogateescape")).digest()
        matches = [hmac.compare_digest(given, known) for known in self.secret_hashes]
        return any(matches)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """Only the registered method is accepted, at every endpoint."""
        return method == self.auth_method

    def check_response_type(self, response_type: str | None) -> bool:
        """Only the code flow exists here (security.md 41)."""
        return response_type == "code" and "authorization_code" in self.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        """Say whether the client is registered for a grant."""
        return grant_type in self.grant_types


@dataclass(frozen=True, slots=True)
class Audience:
    """A resource server a token can be made for."""

    identifier: str
    name: str
    client_id: str | None
    algorithm: str
    scopes: frozenset[str]


def hash_of(secret: str) -> str:
    """Return what is stored of a client secret: SHA-256 in hexadecimal."""
    return sha256(secret.encode()).hexdigest()


def facts_of(row: Mapping[str, Any], partner_status: str | None) -> ClientFacts:
    """Make the picture of a stored client; JSON columns may be text or values."""

    def listed(name: str) -> list[Any]:
        return list(_value(row[name]) or [])

    jwks = _value(row["jwks"])
    entitlements = _value(row["entitlements"])
    return ClientFacts(
        client_id=row["client_id"],
        name=row["name"],
        client_class=row["client_class"],
        channel=row["channel"],
        status=row["status"],
        partner_id=row["partner_id"],
        partner_in_good_standing=row["partner_id"] is None or partner_status in IN_GOOD_STANDING,
        auth_method=row["auth_method"],
        secret_hashes=tuple(bytes.fromhex(value) for value in listed("secret_hashes")),
        keys=keys_from_jwks(jwks) if jwks else None,
        redirect_uris=tuple(listed("redirect_uris")),
        post_logout_redirect_uris=tuple(listed("post_logout_redirect_uris")),
        backchannel_logout_uri=row["backchannel_logout_uri"],
        grant_types=frozenset(listed("grant_types")),
        scopes=frozenset(listed("scopes")),
        audiences=tuple(listed("audiences")),
        entitlements=None if entitlements is None else frozenset(entitlements),
        lines=tuple(listed("lines")),
        default_line=row["default_line"],
        acts_for_provider=bool(row["acts_for_provider"]),
        first_party=bool(row["first_party"]),
        continue_page=bool(row["continue_page"]),
        id_token_alg=row["id_token_alg"],
        pkce=row["pkce"],
        require_par=bool(row["require_par"]),
        token_status_list=bool(row["token_status_list"]),
        help_url=row["help_url"],
    )


def _value(stored: Any) -> Any:
    return json.loads(stored) if isinstance(stored, str) else stored


def _without_loopback_port(uri: str) -> str | None:
    """Return a loopback http address without its port, None for any other address."""
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return None
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "::1") or "@" in parts.netloc or parts.fragment:
        return None
    host = "[::1]" if parts.hostname == "::1" else parts.hostname
    return parts._replace(netloc=host).geturl()
