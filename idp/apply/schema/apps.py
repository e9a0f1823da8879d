"""Clients and the APIs they call."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationInfo, model_validator

from idp.apply.schema.common import Entry, Line, Ref, SecretText, Text, development, wrong
from idp.settings import is_loopback

SIGNALS = Literal[
    "session-revoked", "token-claims-change", "credential-change", "assurance-level-change", "account-disabled"
]
GRANTS = Literal["authorization_code", "refresh_token", "client_credentials"]


def _address(value: str, info: ValidationInfo) -> str:
    parts = urlsplit(value)
    if not parts.scheme or (not parts.hostname and parts.scheme in ("http", "https")):
        raise wrong("must be a whole address such as https://app.example.org/callback")
    if "#" in value:
        raise wrong("must not have a fragment (#...): RFC 6749 3.1.2")
    if "*" in value:
        raise wrong("must be one address; wildcards are not taken")
    if parts.scheme == "http" and not is_loopback(value):
        raise wrong("must be https; http only on loopback")
    if parts.scheme == "http" and not development(info):
        raise wrong("must be https; http on loopback is for development only")
    if parts.scheme in ("javascript", "data", "vbscript", "file"):
        raise wrong("must not be a script or data address")
    return value


Address = Annotated[str, AfterValidator(_address)]


def _keys(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, dict) or not isinstance(value.get("keys"), list) or not value["keys"]:
        raise wrong("must be a JWK set, {keys: [...]}, or file:NAME of one")
    for key in value["keys"]:
        if not isinstance(key, dict) or key.get("kty") not in ("RSA", "EC", "OKP"):
            raise wrong("each key must be a public JWK of kty RSA, EC or OKP")
        if {"d", "p", "q", "dp", "dq", "qi", "k"} & key.keys():
            raise wrong("holds a private key; only public keys belong here")
    return value


def read_keys(written: Any, folder: Path) -> dict[str, Any] | None:
    """Return the JWK set a client's `jwks` means; raise ValueError with a sentence."""
    if not isinstance(written, str):
        found: dict[str, Any] | None = written
        return found
    kind, _, name = written.partition(":")
    if kind != "file" or not name:
        raise ValueError("must be a JWK set, {keys: [...]}, or file:NAME of one")
    try:
        read = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise ValueError(f"the file {name} cannot be read: {type(problem).__name__}") from None
    checked: dict[str, Any] = _keys(read)
    return checked


class Client(Entry):
    """A downstream app or service (docs/configuration.md, clients)."""

    client_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{1,100}$")]
    name: Text
    client_class: Literal["own", "affiliate", "third_party"] = Field(default="own", alias="class")
    partner: Ref | None = None
    channel: Literal["site", "mobile", "third_party_site"] = "site"
    status: Literal["active", "suspended", "ended"] = "active"
    auth_method: Literal["none", "client_secret_basic", "client_secret_post", "private_key_jwt"] = "client_secret_basic"
    secret: SecretText | None = None
    next_secret: SecretText | None = None
    """A second secret in force during a rotation."""
    jwks: Annotated[Any, BeforeValidator(_keys)] = None
    redirect_uris: list[Address] = []
    post_logout_redirect_uris: list[Address] = []
    backchannel_logout_uri: Address | None = None
    signals: list[SIGNALS] = []
    """Security events it may have a stream of."""
    grants: list[GRANTS] = ["authorization_code"]
    scopes: list[str] = ["openid"]
    audiences: list[str] = []
    entitlements: list[str] | None = None
    lines: list[Line] = ["medical"]
    default_line: Line = "medical"
    acts_for_provider: bool = True
    first_party: bool = True
    continue_page: bool = False
    id_token_alg: Literal["ES256", "RS256"] = "ES256"
    pkce: Literal["required", "optional"] = "required"
    require_par: bool = False
    token_status_list: bool = False
    help_url: Address | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "Client":
        says = self.auth_method
        if says == "private_key_jwt" and not self.jwks:
            raise wrong("private_key_jwt needs `jwks`")
        if says != "private_key_jwt" and self.jwks:
            raise wrong("`jwks` belongs to auth_method private_key_jwt")
        if says.startswith("client_secret") and self.secret is None:
            raise wrong(f"{says} needs `secret`")
        if not says.startswith("client_secret") and (self.secret or self.next_secret):
            raise wrong(f"auth_method {says} has no secret")
        if "authorization_code" in self.grants and not self.redirect_uris:
            raise wrong("authorization_code needs at least one of `redirect_uris`")
        if "client_credentials" in self.grants and says == "none":
            raise wrong("client_credentials needs a client that authenticates; auth_method is none")
        if self.default_line not in self.lines:
            raise wrong("`default_line` must be one of `lines`")
        if self.pkce == "optional" and (says == "none" or "openid" not in self.scopes):
            raise wrong("pkce: optional is for confidential OpenID clients only (RFC 9700 2.1.1)")
        if self.client_class != "own" and self.partner is None:
            raise wrong("a client that is not our own needs `partner`")
        return self


class ResourceServer(Entry):
    """An API that receives our access tokens, named by its audience."""

    identifier: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:[^\s#]+$")]
    name: str = ""
    client: str | None = None
    access_token_alg: Literal["ES256", "RS256"] = "ES256"
    scopes: list[str] = []
