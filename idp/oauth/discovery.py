"""What we publish about ourselves; every line is true, and a test asks for each."""

from typing import Any

import orjson

from idp.accounts.assurance import ORDER
from idp.oauth.client_authentication import ASSERTION_ALGORITHMS
from idp.oauth.client_facts import AUTH_METHODS, GRANTS, ID_TOKEN_ALGORITHMS
from idp.oauth.memory import Picture
from idp.oauth.person import CLAIMS
from idp.oauth.status_list.allotment import PATH

SCOPES = (
    "openid", "profile", "email", "offline_access", "access:evaluate", "access:search", "access:simulate",
    "signals:read", "wam", "audit:read", "audit:export", "scim",
)  # fmt: skip
PROMPTS = ("none", "login", "consent", "select_account")
RESPONSE_MODES = ("query", "form_post")


def document(issuer: str) -> bytes:
    """Return the metadata of OpenID Connect Discovery 1.0 and RFC 8414 in one document."""
    methods = list(AUTH_METHODS)
    confidential = [method for method in methods if method != "none"]
    value: dict[str, Any] = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "userinfo_endpoint": f"{issuer}/oauth/userinfo",
        "jwks_uri": f"{issuer}/oauth/jwks",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "pushed_authorization_request_endpoint": f"{issuer}/oauth/par",
        "require_pushed_authorization_requests": False,
        "end_session_endpoint": f"{issuer}/oauth/logout",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": list(GRANTS),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(ID_TOKEN_ALGORITHMS),
        "acr_values_supported": list(ORDER),
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": confidential,
        "introspection_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "claim_types_supported": ["normal"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", *CLAIMS],
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "require_request_uri_registration": False,
        "display_values_supported": ["page"],
        "ui_locales_supported": ["en-US"],
        "prompt_values_supported": list(PROMPTS),
        "authorization_response_iss_parameter_supported": True,
        "status_list_aggregation_endpoint": issuer + PATH,
    }
    return orjson.dumps(value)


def jwks(picture: Picture) -> bytes:
    """Return the published keys: next, active and retiring."""
    return orjson.dumps({"keys": [key.public_jwk() for key in picture.keys.published]})
