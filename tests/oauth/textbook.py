"""The framework's authorization server as its manual builds it, in memory: naive on purpose (stack.md 3.4)."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request, TokenMixin, grants
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6749.util import list_to_scope, scope_to_list
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core import AuthorizationCodeMixin, UserInfo
from authlib.oidc.core.grants import OpenIDCode
from joserfc.jwk import ECKey

from idp import entropy

SITE = "https://op.example"
APP = "https://shop.example/callback"
VERIFIER = "the-verifier-of-a-proof-that-nobody-else-may-see"
SIGNS = ECKey.generate_key("P-256", auto_kid=True, private=True)


class Shop(ClientMixin):
    """One public application, with the questions answered as the framework's docstrings answer them."""

    id_token_signed_response_alg = "ES256"

    def get_client_id(self) -> str:
        return "shop"

    def get_default_redirect_uri(self) -> str:
        return APP

    def get_allowed_scope(self, scope: str | None) -> str:
        if not scope:
            return ""
        return str(list_to_scope([one for one in scope_to_list(scope) if one in ("openid", "profile")]))

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == APP

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return True

    def check_response_type(self, response_type: str) -> bool:
        return True

    def check_grant_type(self, grant_type: str) -> bool:
        return True

    def check_client_secret(self, client_secret: str) -> bool:
        return True


@dataclass
class Code(AuthorizationCodeMixin):
    """A stored code; nobody kept when the person had signed in."""

    challenge: str | None
    scope: str

    code_challenge_method: str | None = None

    @property
    def code_challenge(self) -> str | None:
        return self.challenge

    def get_redirect_uri(self) -> str:
        return APP

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> None:
        return None

    def get_auth_time(self) -> None:
        return None

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


@dataclass
class Token(TokenMixin):
    """A stored answer of the token endpoint."""

    access_token: str
    refresh_token: str | None
    scope: str
    revoked: bool = False

    def check_client(self, client: Shop) -> bool:
        return True

    def get_scope(self) -> str:
        return self.scope


class Person:
    def get_user_id(self) -> str:
        return "ana"


class Asked(OAuth2Request):
    """A request as the framework reads it."""

    def __init__(self, method: str, path: str, values: dict[str, str]) -> None:
        super().__init__(method, SITE + path)
        self._values = values
        self.payload = BasicOAuth2Payload(values)

    @property
    def args(self) -> dict[str, str]:
        return self._values if self.method == "GET" else {}

    @property
    def form(self) -> dict[str, str]:
        return self._values if self.method == "POST" else {}


@dataclass
class Answer:
    """What the framework answered."""

    status: int
    body: Any
    headers: dict[str, str]
    location: str = ""

    def __post_init__(self) -> None:
        self.location = self.headers.get("Location", "")

    @property
    def sent_back(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.location).query))


@dataclass
class Store:
    """The tables."""

    codes: dict[str, Code] = field(default_factory=dict)
    tokens: list[Token] = field(default_factory=list)


class CodeGrant(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["none"]  # noqa: RUF012 - as the framework declares it

    def save_authorization_code(self, code: str, request: Any) -> None:
        asked = request.payload.data
        self.server.store.codes[code] = Code(asked.get("code_challenge"), request.scope)

    def query_authorization_code(self, code: str, client: Shop) -> Code | None:
        found: Code | None = self.server.store.codes.get(code)
        return found

    def delete_authorization_code(self, authorization_code: Code) -> None:
        codes = self.server.store.codes
        for name in [name for name, kept in codes.items() if kept is authorization_code]:
            del codes[name]

    def authenticate_user(self, authorization_code: Code) -> Person:
        return Person()


class RefreshGrant(grants.RefreshTokenGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["none"]  # noqa: RUF012

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        tokens: list[Token] = self.server.store.tokens
        return next((one for one in tokens if one.refresh_token == refresh_token and not one.revoked), None)

    def authenticate_user(self, refresh_token: Token) -> Person:
        return Person()

    def revoke_old_credential(self, refresh_token: Token) -> None:
        refresh_token.revoked = True


class Rotating(RefreshGrant):
    """With the switch that the manual names for new refresh tokens."""

    INCLUDE_NEW_REFRESH_TOKEN = True


class SignsIn(OpenIDCode):
    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False

    def generate_user_info(self, user: Person, scope: str) -> UserInfo:
        return UserInfo(sub=user.get_user_id())

    def resolve_client_private_key(self, client: Shop) -> ECKey:
        return SIGNS

    def get_client_claims(self, client: Shop) -> dict[str, str]:
        return {"iss": SITE, "aud": client.get_client_id()}


class NamesItself(IssuerParameter):
    def get_issuer(self) -> str:
        return SITE


def _random(**_asked: Any) -> str:
    return entropy.token()


class Textbook(AuthorizationServer):
    """The server; `refreshes` is its grant for refresh tokens."""

    def __init__(self, refreshes: type[RefreshGrant] = RefreshGrant) -> None:
        super().__init__()
        self.store, self.shop = Store(), Shop()
        self.register_token_generator("default", BearerTokenGenerator(_random, _random))
        self.register_grant(CodeGrant, [CodeChallenge(), SignsIn()])
        self.register_grant(refreshes)
        self.register_grant(grants.ClientCredentialsGrant)
        self.register_extension(NamesItself())

    def query_client(self, client_id: str) -> Shop | None:
        return self.shop if client_id == "shop" else None

    def authenticate_client(self, request: Any, methods: Any, endpoint: str = "token") -> Shop:
        request.client, request.auth_method = self.shop, "none"
        return self.shop

    def create_oauth2_request(self, request: Asked) -> Asked:
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Answer:
        return Answer(status, body, dict(headers))

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        pass

    def save_token(self, token: dict[str, Any], request: Any) -> None:
        self.store.tokens.append(Token(token["access_token"], token.get("refresh_token"), token.get("scope", "")))

    # ---- what an app sends

    def asked(self, **more: str) -> Asked:
        values = {"response_type": "code", "client_id": "shop", "redirect_uri": APP, "scope": "openid", **more}
        return Asked("GET", "/authorize", values)

    def code(self, **more: str) -> str:
        """Send Ana, who is signed in, for a code."""
        asked = self.asked(**more)
        grant = self.get_consent_grant(asked, end_user=Person())
        answer: Answer = self.create_authorization_response(asked, grant_user=Person(), grant=grant)
        return answer.sent_back["code"]

    def post(self, **values: str) -> Answer:
        """Post to the token endpoint."""
        answer: Answer = self.create_token_response(Asked("POST", "/token", {"client_id": "shop", **values}))
        return answer

    def tokens(self, **more: str) -> Any:
        """The answer to a code."""
        proof = {"code_verifier": VERIFIER, "code": self.code(code_challenge=VERIFIER, **more)}  # plain: trap 1
        return self.post(grant_type="authorization_code", redirect_uri=APP, **proof).body
