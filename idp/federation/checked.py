"""What a recorded upstream has to be before it is kept."""

from sqlmodel import Session as Db

from idp.accounts.assurance import ORDER
from idp.database import of
from idp.errors import Invalid
from idp.federation import connectors
from idp.federation.tables import Upstream
from idp.outbound import Outbound

ALGORITHMS = ("ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "Ed25519")
AUTH_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")


def check(db: Db, upstream: Upstream, *, has_secret: bool) -> None:
    """Refuse what cannot work, with every field and its sentence. Raises Invalid."""
    settings = of(db).settings
    fields = {}
    oidc = upstream.kind != "saml"
    if not oidc:
        if not _is_entity(upstream.issuer):
            fields["issuer"] = "The issuer is the entity id of the partner's metadata, letter by letter."
    elif not Outbound(development=settings.development).allowed(upstream.issuer) or "?" in upstream.issuer:
        fields["issuer"] = "The issuer must be an https address (in development also http on this machine)."
    if upstream.issuer == settings.issuer:
        fields["issuer"] = "This service can't be its own upstream."
    if not upstream.display_name.strip():
        fields["display_name"] = "Name the organization as people know it."
    if not upstream.client_id.strip():
        fields["client_id"] = "Give the client id the upstream knows us by."
    if not upstream.algorithms or set(upstream.algorithms) - set(ALGORITHMS):
        fields["algorithms"] = f"Choose from {', '.join(ALGORITHMS)}."
    if set(upstream.acr_map.values()) - set(ORDER):
        fields["acr_map"] = f"Map the upstream's values to {', '.join(ORDER)}."
    if upstream.auth_method not in AUTH_METHODS:
        fields["auth_method"] = f"Choose from {', '.join(AUTH_METHODS)}."
    elif oidc and upstream.auth_method.startswith("client_secret") and not has_secret:
        fields["client_secret"] = "Give the secret the upstream gave us."
    if oidc and "openid" not in upstream.scopes:
        fields["scopes"] = "The scopes must hold openid."
    if upstream.kind not in connectors.kinds():
        fields["kind"] = f"Choose from {', '.join(connectors.kinds())}."
    if upstream.status not in ("active", "disabled"):
        fields["status"] = "Choose active or disabled."
    if fields:
        raise Invalid(fields=fields)


def _is_entity(name: str) -> bool:
    """Say whether a name may be a SAML entity: an absolute URI of at most 1024 characters (Core 8.3.6)."""
    scheme, colon, rest = name.partition(":")
    return bool(colon and scheme.isalnum() and rest) and len(name) <= 1024 and name.isascii() and " " not in name
