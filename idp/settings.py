"""What a deployment says about itself in the environment, read once and frozen.

Refuses to start half-configured. Clocks and policy values are not here: they live in the applied
file (see configuration.py).
"""

import ipaddress
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class NotConfigured(Exception):
    """The environment does not describe a deployment that can start; the text says what to mend."""


def is_loopback(url: str) -> bool:
    """Say whether the URL's host is this machine itself."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Settings(BaseSettings):
    """One deployment = one insurer = one issuer (decisions.md 1 and 10)."""

    model_config = SettingsConfigDict(env_prefix="IDP_", frozen=True, extra="ignore")

    issuer: str
    """Origin only: https, no path, no trailing slash. Every link and redirect is made from it."""
    database_url: str = "sqlite:///var/idp.db"
    master_keys: SecretStr
    """Comma-separated `id:base64` of 32 bytes each; the first encrypts, all decrypt."""
    audit_key_file: Path
    """Ed25519 private key (PEM) that signs checkpoints; kept outside the database."""
    audit_copy: Path | None = None
    """File that receives a copy of every checkpoint, outside the database's trust zone."""
    audit_syslog: str | None = None
    """`host:port` of a syslog collector over TLS (RFC 5425) that receives every checkpoint too."""
    audit_syslog_ca: Path | None = None
    """Authority (PEM) that the collector's certificate is checked against; without it the system's."""
    networks_file: Path | None = None
    """Where ranges of network addresses are, for the detector of shared logins (docs/sharing.md); JSON lines."""
    smtp_url: SecretStr | None = None
    mail_from: str = "no-reply@localhost"
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    trusted_proxies: str = ""
    """Comma-separated addresses whose X-Forwarded-For is believed."""
    time_zone: str = "America/Chicago"
    log_level: str = "INFO"
    jobs: bool = True
    """Whether this process runs background jobs; at least one process of a deployment must."""
    development: bool = False
    """Loosens what is safe on loopback only: http, cookies without Secure, a local mailbox."""

    @field_validator("issuer")
    @classmethod
    def _origin_only(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise ValueError("must be an origin such as https://login.example.org")
        if value != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
            raise ValueError("must be an origin only: no path, no query, no trailing slash")
        return value

    @field_validator("database_url")
    @classmethod
    def _one_of_ours(cls, value: str) -> str:
        if value.partition("://")[0].partition("+")[0] not in ("sqlite", "postgresql"):
            raise ValueError("must begin with postgresql:// or sqlite:///")  # never quoted: it may hold a password
        return value

    @field_validator("audit_syslog")
    @classmethod
    def _host_and_port(cls, value: str | None) -> str | None:
        host, colon, port = (value or "").rpartition(":")
        if value is not None and not (host and colon and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError("must be host:port, such as logs.example.org:6514")
        return value

    @model_validator(mode="after")
    def _loopback_only_in_development(self) -> Self:
        if self.development and not is_loopback(self.issuer):
            raise ValueError("IDP_DEVELOPMENT=1 is refused with an issuer that is not on this machine")
        if not self.development and not self.issuer.startswith("https://"):
            raise ValueError("IDP_ISSUER must be https (IDP_DEVELOPMENT=1 allows http on loopback)")
        return self

    @cached_property
    def origin_host(self) -> str:
        """Host and port of the issuer, as a Host header must name it."""
        return urlsplit(self.issuer).netloc

    @cached_property
    def cookie_prefix(self) -> str:
        """Prefix of our cookies: `__Host-idp_`; in development `idp_<port>_`, for cookies ignore ports."""
        if not self.development:
            return "__Host-idp_"
        return f"idp_{urlsplit(self.issuer).port or 80}_"


def load(**overrides: Any) -> Settings:
    """Read the environment (and NAME_FILE for secrets); raise NotConfigured with every problem named."""
    import os

    values: dict[str, Any] = {}
    for name in ("MASTER_KEYS", "SMTP_URL", "DATABASE_URL"):
        path = os.environ.get(f"IDP_{name}_FILE")
        if path:
            try:
                values[name.lower()] = Path(path).read_text().strip()
            except OSError as problem:
                raise NotConfigured(f"IDP_{name}_FILE: {problem.strerror}: {path}") from None
    values.update(overrides)
    try:
        return Settings(**values)
    except ValidationError as problem:
        lines = []
        for error in problem.errors():
            where = "_".join(str(part) for part in error["loc"]).upper()
            what = "is not set" if error["type"] == "missing" else error["msg"].removeprefix("Value error, ")
            lines.append(f"IDP_{where} {what}" if where else what)
        raise NotConfigured("\n".join(lines)) from None
