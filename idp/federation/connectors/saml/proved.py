"""What a signed assertion must say before anybody is signed in by it (Core 2.3 to 2.7, Profiles 4.1.4.3).

Everything here reads the signed subtree alone.
"""

from datetime import datetime, timedelta

from idp.accounts.assertion import Assertion
from idp.accounts.assurance import AAL1
from idp.federation.connectors.saml import names
from idp.federation.connectors.saml.facts import facts
from idp.federation.connectors.saml.names import saml
from idp.federation.connectors.saml.reading import Element, alone, at_most_one, moment_of, text_of
from idp.federation.contract import AnswerRefused, Try

_CONDITIONS = frozenset({saml("AudienceRestriction"), saml("OneTimeUse"), saml("ProxyRestriction")})


def request_id(attempt: Try) -> str:
    """Return the id of our request, which its answer must name; the try is spent once, so the id is."""
    return f"_{attempt.nonce}"


def from_issuer(element: Element, attempt: Try) -> None:
    """Refuse what does not name the recorded issuer."""
    issuer = alone(element, saml("Issuer"), "issuer")
    if issuer.get("Format") not in (None, names.ENTITY) or text_of(issuer, "issuer") != attempt.upstream.issuer:
        raise AnswerRefused("issuer")


def lately(element: Element, attempt: Try) -> None:
    """Refuse what was made before this try began, or is from tomorrow."""
    made = moment_of(element, "IssueInstant", "issue_instant")
    if made is None or not attempt.started_at - attempt.leeway <= made <= attempt.now + attempt.leeway:
        raise AnswerRefused("issue_instant")


def assertion(signed: Element, attempt: Try) -> Assertion:
    """Return what a signed assertion proves for this try. Raises AnswerRefused."""
    if signed.get("Version") != "2.0":
        raise AnswerRefused("version")
    from_issuer(signed, attempt)
    lately(signed, attempt)
    name_id = _subject(alone(signed, saml("Subject"), "subject"), attempt)
    _conditions(alone(signed, saml("Conditions"), "conditions"), attempt)
    statement = _statement(signed, attempt)
    upstream = attempt.upstream
    context = at_most_one(statement, saml("AuthnContext"), "authn_context")
    said = None if context is None else at_most_one(context, saml("AuthnContextClassRef"), "authn_context")
    acr = None if said is None else text_of(said, "authn_context")
    index = statement.get("SessionIndex")
    if index is not None and (len(index) > 255 or not index.isprintable()):
        raise AnswerRefused("session_index")
    kept, left_out = facts(signed)
    return Assertion(
        upstream_id=upstream.id,
        issuer=upstream.issuer,
        subject=text_of(name_id, "subject", 255),
        auth_time=_signed_in_at(statement, attempt),
        acr=upstream.acr_map.get(acr, AAL1) if acr is not None else AAL1,
        facts=kept,
        left_out=left_out,
        upstream_sid=index,
        partner_id=upstream.partner_id,
        organization=upstream.display_name,
    )


def _subject(subject: Element, attempt: Try) -> Element:
    """Return the name, which must be one that stays the same, confirmed for the bearer (Profiles 4.1.4.2)."""
    name_id = alone(subject, saml("NameID"), "subject")
    if name_id.get("Format") != names.PERSISTENT:
        raise AnswerRefused("subject_format")  # an address or a name may go to somebody else (security.md 27)
    if name_id.get("NameQualifier") not in (None, attempt.upstream.issuer):
        raise AnswerRefused("subject_qualifier")
    if name_id.get("SPNameQualifier") not in (None, attempt.upstream.client_id):
        raise AnswerRefused("subject_qualifier")
    value = text_of(name_id, "subject", 255)
    if value != name_id.text:
        raise AnswerRefused("subject")
    confirmations = subject.findall(saml("SubjectConfirmation"))
    if len(confirmations) != 1 or confirmations[0].get("Method") != names.BEARER:
        raise AnswerRefused("confirmation")
    _confirmed(alone(confirmations[0], saml("SubjectConfirmationData"), "confirmation"), attempt)
    return name_id


def _confirmed(data: Element, attempt: Try) -> None:
    if data.get("Recipient") != attempt.callback:
        raise AnswerRefused("recipient")
    if data.get("InResponseTo") != request_id(attempt):
        raise AnswerRefused("in_response_to")
    if data.get("NotBefore") is not None:
        raise AnswerRefused("confirmation")  # Profiles 4.1.4.2: a bearer's must not have it
    ends = moment_of(data, "NotOnOrAfter", "confirmation_time")
    if ends is None or attempt.now >= ends + attempt.leeway:
        raise AnswerRefused("confirmation_time")


def _conditions(conditions: Element, attempt: Try) -> None:
    if {child.tag for child in conditions} - _CONDITIONS:
        raise AnswerRefused("condition_unknown")  # Core 2.5.1: what is not understood is not met
    begins = moment_of(conditions, "NotBefore", "conditions_time")
    ends = moment_of(conditions, "NotOnOrAfter", "conditions_time")
    if ends is None or attempt.now >= ends + attempt.leeway:
        raise AnswerRefused("conditions_time")
    if begins is not None and attempt.now < begins - attempt.leeway:
        raise AnswerRefused("conditions_time")
    restrictions = conditions.findall(saml("AudienceRestriction"))
    if not restrictions:
        raise AnswerRefused("audience")
    for restriction in restrictions:
        # One audience, us: an assertion made for others too could be brought here by one of them.
        if text_of(alone(restriction, saml("Audience"), "audience"), "audience") != attempt.upstream.client_id:
            raise AnswerRefused("audience")


def _statement(signed: Element, attempt: Try) -> Element:
    statement = alone(signed, saml("AuthnStatement"), "authn_statement")
    ends = moment_of(statement, "SessionNotOnOrAfter", "session_time")
    if ends is not None and attempt.now >= ends + attempt.leeway:
        raise AnswerRefused("session_time")
    return statement


def _signed_in_at(statement: Element, attempt: Try) -> datetime:
    """Return when the person signed in there; required, never in the future, recent where an age was asked for."""
    moment = moment_of(statement, "AuthnInstant", "authn_instant")
    if moment is None or moment > attempt.now + attempt.leeway:
        raise AnswerRefused("authn_instant")
    oldest = timedelta(seconds=attempt.max_age) if attempt.max_age is not None else None
    if oldest == timedelta(0):  # asked to sign in anew: since this try began
        oldest = attempt.now - attempt.started_at
    if oldest is not None and attempt.now > moment + oldest + attempt.leeway:
        raise AnswerRefused("authn_instant")
    return min(moment, attempt.now)
