"""Partners with their logins and shared accounts; provider organisations with what the insurer opened."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from idp.apply.schema.apps import Address
from idp.apply.schema.common import (
    Contact,
    Dated,
    DevelopmentOnly,
    Ending,
    Entry,
    Line,
    Moment,
    Ref,
    SecretText,
    Text,
    Was,
    id_of,
    wrong,
)
from idp.apply.schema.places import Continuity, Location, Npi

Algorithm = Literal["ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "Ed25519"]


def _document(value: object) -> object:
    if isinstance(value, str) and not value.lstrip().startswith(("<", "file:")):
        raise wrong("must be the metadata itself (XML) or file:NAME")
    return value


class OwnerWas(Was):
    """Who answered for a function on past (and coming) days; `catalogue`: nobody was named, the catalogue decided."""

    owner: Literal["partner", "insurer", "affiliate", "catalogue"] = "partner"
    partner: Ref | None = None
    contact: Contact = Contact()


class FunctionOwner(Entry):
    """Who answers for one function of a shared account."""

    owner: Literal["partner", "insurer", "affiliate"] = "partner"
    partner: Ref | None = None
    contact: Contact = Contact()
    history: Annotated[list[OwnerWas], DevelopmentOnly] = Field(default=[])


class SharedAccount(Ending):
    """An employer account administered with the partner."""

    number: Text
    name: str = ""
    functions: dict[str, FunctionOwner] = {}


PartnerStatus = Literal["prospect", "due_diligence", "ready", "active", "review_overdue", "suspended", "ended"]


class PartnerWas(Was):
    """A partner's status, and whom to call there, on past (and coming) days."""

    status: PartnerStatus | None = None
    contact: Contact | None = None

    @property
    def contact_name(self) -> str | None:
        """Return the name to ask for, where the line says whom."""
        return self.contact.name if self.contact else None

    @property
    def contact_phone(self) -> str | None:
        """Return the number to call, where the line says whom."""
        return self.contact.phone if self.contact else None

    @property
    def contact_url(self) -> str | None:
        """Return the address to look up, where the line says whom."""
        return self.contact.url if self.contact else None


class Partner(Entry):
    """An outside organisation."""

    ref: Ref
    id: id_of("ptr") = None  # type: ignore[valid-type]
    name: Text
    kind: Literal["affiliate", "third_party", "administrator", "agency"] = "affiliate"
    status: PartnerStatus = "prospect"
    history: Annotated[list[PartnerWas], DevelopmentOnly] = Field(default=[])
    contact: Contact = Contact()
    shared_accounts: list[SharedAccount] = []


class Upstream(Entry):
    """An identity provider we trust, belonging to a partner."""

    ref: Ref
    id: id_of("ups") = None  # type: ignore[valid-type]
    partner: Ref
    kind: Literal["oidc", "saml"] = "oidc"
    display_name: Text
    issuer: Text
    client_id: str = ""
    client_secret: SecretText | None = None
    auth_method: Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none"] = "client_secret_basic"
    scopes: list[str] = ["openid", "profile", "email"]
    algorithms: Annotated[list[Algorithm], Field(min_length=1)] = ["ES256", "RS256"]
    acr_map: dict[str, Literal["aal1", "aal2", "phr"]] = {}
    domains: list[str] = []
    status: Literal["active", "disabled"] = "active"
    metadata: Annotated[str | None, BeforeValidator(_document)] = None
    metadata_url: Address | None = None
    metadata_certificate: Text | None = None
    binding: Literal["redirect", "post"] = "redirect"

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Upstream":
        if self.kind == "oidc":
            if not self.client_id:
                raise wrong("an upstream of kind oidc needs `client_id`")
            if self.metadata or self.metadata_url or self.metadata_certificate or self.binding != "redirect":
                raise wrong("metadata and binding are for upstreams of kind saml")
        elif (self.metadata is None) == (self.metadata_url is None):
            raise wrong("an upstream of kind saml needs `metadata` or `metadata_url`, one of them")
        elif self.client_secret is not None:
            raise wrong("an upstream of kind saml has no secret; our keys for it are made here")
        return self


class Portal(Dated):
    """Gate 1: the insurer opens one line of business to the organisation."""

    line: Line = "medical"
    opened_by: str = ""
    ended: Moment | None = None


class Participation(Ending):
    """Network participation in one line of business."""

    line: Line = "medical"
    network: Text = "insurer"


class Agreement(Ending):
    """The contract for one line of business."""

    line: Line = "medical"


class Credential(Ending):
    """A licence or another credentialing fact."""

    kind: Literal["licence", "credentialing", "dea", "board", "malpractice", "education", "residency"]
    number: str = ""
    state: str = ""
    services: list[str] | None = None
    source: str = ""
    verified: Moment | None = None


class OutOfUse(Dated):
    """A time in which the registry had taken the NPI out of use."""


class Practitioner(Ending):
    """A licensed individual at the organisation; the dates are those of working there."""

    npi: Annotated[str, StringConstraints(pattern=r"^\d{10}$")]
    name: Text
    person: Ref | None = None
    credentials: list[Credential] = []
    out_of_use: Annotated[list[OutOfUse], DevelopmentOnly] = Field(default=[])


DelegationStatus = Literal["requested", "active", "suspended", "ended"]


class DelegationWas(Was):
    """A delegation's status and scope on past (and coming) days."""

    status: DelegationStatus | None = None
    entitlements: list[str] | None = None
    lines: list[Line] | None = None


class Delegation(Dated):
    """The organisation's permission for a third party to act for it."""

    ref: Ref
    id: id_of("dlg") = None  # type: ignore[valid-type]
    partner: Ref
    parent: Ref | None = None
    entitlements: Annotated[list[str], Field(min_length=1)]
    lines: Annotated[list[Line], Field(min_length=1)] = ["medical"]
    locations: list[str] | None = None
    """Names of the organisation's locations; without it, all of them."""
    redelegable: bool = False
    approved_by: str = ""
    status: DelegationStatus = "active"
    history: Annotated[list[DelegationWas], DevelopmentOnly] = Field(default=[])
    ended: Moment | None = None
    end_reason: str = "applied"


class Withheld(Entry):
    """A function the insurer keeps from the organization in a line; `from` may be a day to come."""

    line: Line
    function: Text
    starts: Moment | None = Field(default=None, alias="from")
    reason: Text
    ended: Moment | None = None


Channel = Literal["site", "mobile", "third_party_site"]
Arrangement = Literal["fee_for_service", "discounted_fee_for_service", "capitation", "salary"]


class ProviderWas(Was):
    """An organisation's status, payment arrangement or channels on past (and coming) days."""

    status: Literal["active", "suspended", "ended"] | None = None
    payment_arrangement: Arrangement | None = None
    channels: list[Channel] | None = None


class Provider(Entry):
    """A provider organisation, or the insurer itself."""

    ref: Ref
    id: id_of("prv") = None  # type: ignore[valid-type]
    name: Text
    kind: Literal["practice", "facility", "insurer"] = "practice"
    tin: Annotated[str, StringConstraints(pattern=r"^(\d{9}|env:\S+|file:\S+)$")] | None = None
    status: Literal["active", "suspended", "ended"] = "active"
    payment_arrangement: Arrangement = "fee_for_service"
    history: Annotated[list[ProviderWas], DevelopmentOnly] = Field(default=[])
    help_name: str | None = None
    help_contact: str | None = None
    channels: list[Channel] | None = None
    portals: list[Portal] = []
    participation: list[Participation] = []
    agreements: list[Agreement] = []
    practitioners: list[Practitioner] = []
    delegations: list[Delegation] = []
    npis: list[Npi] = []
    locations: list[Location] = []
    continuity: list[Continuity] = []
    withheld: list[Withheld] = []
