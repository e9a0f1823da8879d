"""Single logout, begun over there or here: requests and answers, read and made (Core 3.7, Profiles 4.4)."""

from datetime import datetime, timedelta

from idp.federation.connectors.saml import names
from idp.federation.connectors.saml.binding import from_address, from_form
from idp.federation.connectors.saml.names import saml, samlp
from idp.federation.connectors.saml.reading import Element, add, alone, make, moment_of, read, text_of, written
from idp.federation.connectors.saml.signed import Signers, verified
from idp.federation.contract import AnswerRefused, Leaving, SignedOut, Told

AGE = timedelta(minutes=5)
"""How old a request may be; its id is remembered longer."""


_FIELDS = {"LogoutRequest": "SAMLRequest", "LogoutResponse": "SAMLResponse"}


def message(came: str, signers: Signers, name: str = "LogoutRequest") -> Element:
    """Return the message of an address's query or of a form's field, signature verified. Raises AnswerRefused."""
    if "=" in came.rstrip("="):
        return read(from_address(came, _FIELDS[name], signers), samlp(name))
    return verified(read(from_form(came), samlp(name)), signers)


def _meant_for_us(message: Element, told: Told) -> datetime:
    """Check version, destination, issuer and age, which requests and answers share; return when it was made."""
    if message.get("Version") != "2.0":
        raise AnswerRefused("version")
    if message.get("Destination") != told.upstream.details["logout"]:
        raise AnswerRefused("destination")
    issuer = alone(message, saml("Issuer"), "issuer")
    if issuer.get("Format") not in (None, names.ENTITY) or text_of(issuer, "issuer") != told.upstream.issuer:
        raise AnswerRefused("issuer")
    made = moment_of(message, "IssueInstant", "issue_instant")
    if made is None or not told.now - AGE - told.leeway <= made <= told.now + told.leeway:
        raise AnswerRefused("issue_instant")
    return made


def signed_out(request: Element, told: Told) -> SignedOut:
    """Return whose session ended. Raises AnswerRefused."""
    made = _meant_for_us(request, told)
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


def request(leaving: Leaving, endpoint: str) -> Element:
    """Make our request to end one person's session over there, or all of them where no session was named to us."""
    now = leaving.told.now
    made = make(
        samlp("LogoutRequest"),
        ID=leaving.request,
        Version="2.0",
        IssueInstant=written(now),
        NotOnOrAfter=written(now + AGE),
        Destination=endpoint,
    )
    add(made, saml("Issuer"), leaving.told.upstream.client_id)
    add(made, saml("NameID"), leaving.subject, Format=names.PERSISTENT)
    if leaving.sid is not None:
        add(made, samlp("SessionIndex"), leaving.sid)
    return made


def answered(response: Element, leaving: Leaving) -> bool:
    """Say whether every session ended, by the answer to our request. Raises AnswerRefused."""
    made = _meant_for_us(response, leaving.told)
    if made < leaving.begun_at - leaving.told.leeway:
        raise AnswerRefused("issue_instant")
    if response.get("InResponseTo") != leaving.request:
        raise AnswerRefused("in_response_to")
    code = alone(alone(response, samlp("Status"), "status"), samlp("StatusCode"), "status")
    inner = {one.get("Value") for one in code.findall(samlp("StatusCode"))}
    return code.get("Value") == names.SUCCESS and names.PARTIAL_LOGOUT not in inner
