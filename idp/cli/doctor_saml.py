"""What `idp doctor` says of SAML logins: metadata as a sign-in would read it, and certificates near their end."""

from collections.abc import Iterator
from datetime import timedelta

from sqlmodel import Session as Db

from idp import clock
from idp.federation import saml_trust, upstreams
from idp.federation.contract import AnswerRefused
from idp.federation.tables import Upstream
from idp.outbound import Outbound, OutboundFailed

SOON = timedelta(days=60)
Said = Iterator[tuple[str, str, str]]
"""Kind of finding (`wrong` or `doubtful`), what, and how to mend it."""


def look(db: Db, row: Upstream, outbound: Outbound) -> Said:
    """Say what is wrong with one SAML login."""
    from idp.federation.connectors.saml import Saml

    yield from _ours(db, row)
    now = clock.now()
    try:
        found = Saml(outbound).describe(upstreams.plain(db, row), now, timedelta())
    except OutboundFailed as problem:
        sentence = f"The metadata of {row.display_name} cannot be reached: {problem}."
        yield "wrong", sentence, "Ask the partner, or record the document itself as `metadata`."
        return
    except AnswerRefused as problem:
        sentence = f"The metadata of {row.display_name} cannot be used: {problem.reason}."
        yield (
            "wrong",
            sentence,
            "Ask the partner for metadata that describes this issuer; docs/partners/saml.md says what it needs.",
        )
        return
    ends = [certificate.not_valid_after_utc for certificate in found.certificates]
    if all(end <= now for end in ends):
        sentence = f"Every signing certificate of {row.display_name} has expired: nobody signs in there."
        yield "wrong", sentence, "Ask the partner for metadata with a new one."
    elif max(ends) < now + SOON:
        sentence = f"The signing certificate of {row.display_name} expires on {max(ends):%Y-%m-%d}."
        yield "doubtful", sentence, "Ask the partner to put the next one beside it in the metadata."
    if found.valid_until is not None and found.valid_until < now + timedelta(days=7) and row.status == "active":
        trust = saml_trust.of_upstream(db, row.id)
        if trust["metadata_url"] is None:
            sentence = f"The recorded metadata of {row.display_name} is valid until {found.valid_until:%Y-%m-%d}."
            yield "doubtful", sentence, "Apply the partner's newer document, or its address as `metadata_url`."


def _ours(db: Db, row: Upstream) -> Said:
    for key in saml_trust.keys(db, row.id):
        if key.state == "active" and key.ends_at < clock.now() + SOON:
            sentence = f"Our certificate towards {row.display_name} ends on {key.ends_at:%Y-%m-%d}."
            yield "doubtful", sentence, f"Run: idp keys saml {row.id} --next; when the partner has it: --rotate"
