"""A member of a trust community: its metadata are signed by certificate, and it registers by certificate."""

import base64
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import ECKey
from joserfc.jws import JWSRegistry
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fakes.upstreams.oidc import GONE, OidcProvider


class Authority:
    """A community's root, and what it certifies."""

    def __init__(self, name: str = "Community Root") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._made(name, self.key.public_key(), authority=True)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def _made(self, name: str, public: Any, *, uri: str | None = None, authority: bool = False, **more: Any) -> Any:
        now = datetime.now(UTC)
        title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(title)
            .issuer_name(title if uri is None else self.certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + more.get("life", timedelta(days=300)))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not authority and more.get("signs", True),
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=not more.get("signs", True),
                    key_cert_sign=authority,
                    crl_sign=authority,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if authority:
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        if "lists" in more:
            points = [
                x509.DistributionPoint([x509.UniformResourceIdentifier(one)], None, None, None) for one in more["lists"]
            ]
            builder = builder.add_extension(x509.CRLDistributionPoints(points), critical=False)
        if uri is not None:
            names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def certify(self, uri: str, **more: Any) -> tuple[str, str]:
        """Return (certificate, key) in PEM for an address."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._made(uri[:60], key.public_key(), uri=uri, **more)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return made.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


class RevocationLists:
    """Where an authority publishes what it has taken back."""

    issuer = "http://lists.exchange.example"
    address = f"{issuer}/root.crl"

    def __init__(self, root: Authority) -> None:
        self.root = root
        self.signer = root
        self.revoked: list[str] = []
        """Certificates in PEM."""
        self.begins, self.ends = timedelta(hours=-1), timedelta(days=1)
        self.extensions: list[tuple[Any, bool]] = []
        self.status, self.content = 200, b""
        self.calls = 0

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a fetch."""
        self.calls += 1
        headers = {"content-type": "application/pkix-crl"}
        return httpx2.Response(self.status, headers=headers, content=self.content or self._made())

    def _made(self) -> bytes:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.root.certificate.subject)
            .last_update(now + self.begins)
            .next_update(now + self.ends)
        )
        for pem in self.revoked:
            serial = x509.load_pem_x509_certificate(pem.encode()).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            builder = builder.add_revoked_certificate(entry)
        for extension, critical in self.extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.signer.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def x5c(pem: str) -> list[str]:
    """Return PEM certificates as a JWS header carries them."""
    return [
        base64.b64encode(one.public_bytes(serialization.Encoding.DER)).decode()
        for one in x509.load_pem_x509_certificates(pem.encode())
    ]


class Member(OidcProvider):
    """Faithful by default: registers whoever shows a certificate, and asks for it again at the token endpoint."""

    def __init__(self, root: Authority, issuer: str = "https://id.harbor.example") -> None:
        super().__init__(issuer, "Harbor Health")
        self.certificate, self.private = root.certify(issuer)
        self.signed: dict[str, Any] = {}
        self.plain: dict[str, Any] = {}
        self.jws_header: dict[str, Any] = {}
        self.statements: list[dict[str, Any]] = []
        self.client_id = ""
        self.discovery = {"registration_endpoint": f"{issuer}/register"}
        self.app.router.routes.append(Route("/.well-known/udap", self._udap))
        self.app.router.routes.append(Route("/register", self._register, methods=["POST"]))

    async def _udap(self, request: Request) -> Response:
        now = int(time.time())
        endpoints = {
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "registration_endpoint": f"{self.issuer}/register",
        }
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": self.issuer,
            "iat": now,
            "exp": now + 86_400,
            "jti": secrets.token_urlsafe(8),
            **endpoints,
            **self.signed,
        }
        claims = {name: value for name, value in claims.items() if value is not GONE}
        header = {"alg": "ES256", "x5c": x5c(self.certificate), **self.jws_header}
        token = jwt.encode(
            {name: value for name, value in header.items() if value is not GONE},
            claims,
            ECKey.import_key(self.private),
            algorithms=["ES256"],
        )
        body = {"udap_versions_supported": ["1"], **endpoints, "signed_metadata": token, **self.plain}
        return JSONResponse({name: value for name, value in body.items() if value is not GONE})

    async def _register(self, request: Request) -> Response:
        sent = await request.json()
        statement = self._read(sent["software_statement"])
        self.statements.append(statement)
        self.client_id = f"client-{len(self.statements)}"
        return JSONResponse({"client_id": self.client_id}, status_code=201)

    def _read(self, token: str) -> dict[str, Any]:
        registry = JWSRegistry(algorithms=["ES256"])
        registry.max_header_length = 100_000  # certificates are long
        return dict(jwt.decode(token, self._key_in(token), registry=registry).claims)

    def _key_in(self, token: str) -> ECKey:
        import json

        head = token.split(".", maxsplit=1)[0]
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
        leaf = x509.load_der_x509_certificate(base64.b64decode(header["x5c"][0]))
        public = leaf.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return ECKey.import_key(public)

    def _client_is_right(self, request: Request, form: dict[str, str]) -> bool:
        claims = self._read(form["client_assertion"])
        self.assertions.append(claims)
        return bool(
            claims["sub"] == self.client_id and claims["aud"] == f"{self.issuer}/token" and form.get("udap") == "1"
        )
