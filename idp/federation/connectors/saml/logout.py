"""Single logout that begins at the identity provider: read its request, and answer it (Core 3.7, Profiles 4.4)."""

from datetime import timedelta

from idp.federation.connectors.saml import names
from idp.federation.connectors.saml.binding import from_address, from_form
from idp.federation.connectors.saml.names import saml, samlp
from idp.federation.connectors.saml.reading import Element, add, alone, make, moment_of, read, text_of, written
from idp.federation.connectors.saml.signed import Signers, verified
from idp.federation.contract import AnswerRefused, SignedOut, Told

AGE = timedelta(minutes=5)
"""How old a request may be; its id is remembered longer."""


def message(came: str, signers: Signers) -> Element:
    """Return the request of an address's query or of a form's field, signature verified. Raises AnswerRefused."""
    if "=" in came.rstrip("="):
        return read(from_address(came, "SAMLRequest", signers), samlp("LogoutRequest"))
    return verified(read(from_form(came), samlp("LogoutRequest")), signers)


def signed_out(request: Element, told: Told) -> SignedOut:
    """Return whose session ended. Raises AnswerRefused."""
    if request.get("Version") != "2.0":
        raise AnswerRefused("version")
    if request.get("Destination") != told.upstream.details["logout"]:
        raise AnswerRefused("destination")
    issuer = alone(request, saml("Issuer"), "issuer")
    if issuer.get("Format") not in (None, names.ENTITY) or text_of(issuer, "issuer") != told.upstream.issuer:
        raise AnswerRefused("issuer")
    made = moment_of(request, "IssueInstant", "issue_instant")
    if made is None or not told.now - AGE - told.leeway <= made <= told.now + told.leeway:
        raise AnswerRefused("issue_instant")
    ends = moment_of(request, "NotOnOrAfter", "logout_time")
    if ends is not None and told.now >= ends + told.leeway:
        raise AnswerRefused("logout_time")
    identifier = request.get("ID") or ""
    if not 1 <= len(identifier) <= 255:
        raise AnswerRefused("logout_id")
    name_id = alone(request, saml("NameID"), "subject")
    if name_id.get("Format") not in (None, names.PERSISTENT):
        raise AnswerRefused("subject_format")
    sessions = [text_of(one, "session_index", 255) for one in request.findall(samlp("SessionIndex"))]
    return SignedOut(
        jti=identifier,
        subject=text_of(name_id, "subject", 255),
        # Several at once: every session of this person here, rather than one too few.
        sid=sessions[0] if len(sessions) == 1 else None,
        expires_at=made + 2 * AGE,
    )


def answer(request: Element, told: Told, endpoint: str, identifier: str) -> Element:
    """Make our answer to a request that was carried out."""
    made = make(
        samlp("LogoutResponse"),
        ID=identifier,
        Version="2.0",
        IssueInstant=written(told.now),
        Destination=endpoint,
        InResponseTo=request.get("ID"),
    )
    add(made, saml("Issuer"), told.upstream.client_id)
    add(add(made, samlp("Status")), samlp("StatusCode"), Value=names.SUCCESS)
    return made
