"""Read the answer to our request: prove who made it, then believe only what was signed (Profiles 4.1.4)."""

from idp.accounts.assertion import Assertion
from idp.federation.connectors.saml import names, proved
from idp.federation.connectors.saml.names import ds, saml, samlp
from idp.federation.connectors.saml.ours import opening_keys
from idp.federation.connectors.saml.reading import Element, alone, assertions_in, read
from idp.federation.connectors.saml.sealed import opened
from idp.federation.connectors.saml.signed import Signers, signature_of, verified
from idp.federation.contract import AnswerRefused, Try


def assertion(data: bytes, attempt: Try, signers: Signers) -> Assertion:
    """Return what a response proves for this try. Raises AnswerRefused."""
    response = read(data, samlp("Response"))
    _status(response)
    theirs = _only_assertion(response)
    whole = signature_of(response) is not None
    if whole:
        response = verified(response, signers)
        theirs = _only_assertion(response)
    _about_this_try(response, attempt)
    if theirs.tag == saml("EncryptedAssertion"):
        theirs = opened(theirs, opening_keys(attempt.upstream), integrity=whole)
        _nothing_hidden(theirs, theirs)
    if signature_of(theirs) is not None:
        theirs = verified(theirs, signers)
    elif not whole:
        raise AnswerRefused("signature_missing")
    return proved.assertion(theirs, attempt)


def _status(response: Element) -> None:
    """Refuse an answer that says no. Nothing is proved yet, and nothing but the refusal follows from it."""
    code = alone(alone(response, samlp("Status"), "status"), samlp("StatusCode"), "status")
    if code.get("Value") == names.SUCCESS:
        return
    inner = {one.get("Value") for one in code.findall(samlp("StatusCode"))} | {code.get("Value")}
    raise AnswerRefused("declined" if inner & names.DECLINED else "error_answer")


def _only_assertion(response: Element) -> Element:
    """Return the one assertion, which must stand directly in the response: no second one to be mistaken for it."""
    found = assertions_in(response)
    if len(found) != 1 or found[0].getparent() is not response:
        raise AnswerRefused("assertion_number")
    _nothing_hidden(response, found[0])
    return found[0]


def _nothing_hidden(root: Element, theirs: Element) -> None:
    """Refuse signatures and assertions anywhere but where SAML puts them (the wrapping attacks need such places)."""
    if any(one is not theirs for one in assertions_in(root)):
        raise AnswerRefused("assertion_number")
    for signature in root.iter(ds("Signature")):
        parent = signature.getparent()
        if parent is not root and parent is not theirs:
            raise AnswerRefused("signature_elsewhere")


def _about_this_try(response: Element, attempt: Try) -> None:
    """Check what the response says of itself; where it is not signed, the assertion says the same again."""
    if response.get("Version") != "2.0":
        raise AnswerRefused("version")
    if response.get("Destination") != attempt.callback:
        raise AnswerRefused("destination")
    if response.get("InResponseTo") != proved.request_id(attempt):
        raise AnswerRefused("in_response_to")
    if response.findall(saml("Issuer")):
        proved.from_issuer(response, attempt)
    proved.lately(response, attempt)
