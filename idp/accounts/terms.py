"""The two documents everybody accepts: versions, acceptance, what is still open (T-01 to T-06)."""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, envelope
from idp.accounts.tables import TermsAcceptance, TermsDocument
from idp.audit import log, origin
from idp.audit.events import Event
from idp.database.inserting import insert_unless_there
from idp.errors import Conflict, Invalid
from idp.signals import epochs

KINDS = ("site", "general")
"""The site-specific terms come first: they prevail (T-01)."""


def digest_of(body: str) -> str:
    """Return the digest stored with a document and with every acceptance's record."""
    return sha256(body.encode()).hexdigest()


def publish(
    db: Db,
    *,
    kind: str,
    version: str,
    title: str,
    body: str,
    changes: str = "",
    effective_at: datetime | None = None,
) -> TermsDocument:
    """Publish a version. The same version with the same text is left as it is; another text is refused.

    `changes` says what differs from the version before, one sentence a line.
    """
    if kind not in KINDS:
        raise Invalid(fields={"kind": "Terms are of kind site or general."})
    if not version.strip() or not body.strip():
        raise Invalid(fields={"version": "Terms need a version and a text."})
    known = db.exec(
        select(TermsDocument).where(col(TermsDocument.kind) == kind, col(TermsDocument.version) == version)
    ).one_or_none()
    if known is not None:
        if known.digest != digest_of(body):
            raise Conflict(f"Version {version} of the {kind} terms was published with another text.")
        return known
    document = TermsDocument(
        kind=kind,
        version=version,
        title=title,
        body=body,
        digest=digest_of(body),
        changes=changes,
        effective_at=effective_at or clock.now(),
    )
    db.add(document)
    db.flush()
    details = {"document": document.id, "kind": kind, "version": version, "digest": document.digest}
    log.record(db, Event("accounts.terms.published", details=details))
    epochs.changed_policy(db)
    return document


def current(db: Db, at: datetime | None = None) -> list[TermsDocument]:
    """Return the version of each document in force at a moment, the prevailing one first."""
    moment = at or clock.now()
    found: dict[str, TermsDocument] = {}
    for document in db.exec(
        select(TermsDocument)
        .where(col(TermsDocument.effective_at) <= moment)
        .order_by(col(TermsDocument.effective_at), col(TermsDocument.created_at), col(TermsDocument.id))
    ):
        found[document.kind] = document
    return [found[kind] for kind in KINDS if kind in found]


def unaccepted(db: Db, account_id: str, at: datetime | None = None) -> list[TermsDocument]:
    """Return the documents in force that this person has yet to accept.

    A later version accepted before it takes effect counts for the present one (decisions.md 12).
    """
    accepted = db.exec(
        select(TermsDocument)
        .join(TermsAcceptance, col(TermsAcceptance.document_id) == col(TermsDocument.id))
        .where(col(TermsAcceptance.account_id) == account_id)
    ).all()
    newest: dict[str, datetime] = {}
    for document in accepted:
        newest[document.kind] = max(document.effective_at, newest.get(document.kind, document.effective_at))
    return [d for d in current(db, at) if d.kind not in newest or newest[d.kind] < d.effective_at]


def coming(db: Db, account_id: str) -> list[TermsDocument]:
    """Return published versions that are not in force yet and that this person has not accepted.

    From publication to the day they take effect both versions hold: accepting early counts, waiting is no refusal.
    """
    later = db.exec(
        select(TermsDocument)
        .where(
            col(TermsDocument.effective_at) > clock.now(),
            col(TermsDocument.id).not_in(
                select(TermsAcceptance.document_id).where(col(TermsAcceptance.account_id) == account_id)
            ),
        )
        .order_by(col(TermsDocument.effective_at), col(TermsDocument.kind).desc())
    ).all()
    return list(later)


def accepted_by(db: Db, account_id: str) -> list[tuple[TermsDocument, TermsAcceptance]]:
    """Return what a person accepted, newest first."""
    rows = db.exec(
        select(TermsDocument, TermsAcceptance)
        .join(TermsAcceptance, col(TermsAcceptance.document_id) == col(TermsDocument.id))
        .where(col(TermsAcceptance.account_id) == account_id)
        .order_by(col(TermsAcceptance.accepted_at).desc(), col(TermsDocument.kind).desc())
    ).all()
    return [(row[0], row[1]) for row in rows]


def were_shown(db: Db, account_id: str, documents: Iterable[TermsDocument], *, channel: str) -> None:
    """Record that a person was shown these versions (domain.md 11)."""
    for document in documents:
        details = {"document": document.id, "kind": document.kind, "version": document.version}
        log.record(db, Event("accounts.terms.shown", account=account_id, channel=channel, details=details))


def accept(db: Db, account_id: str, document_ids: Iterable[str], *, channel: str = "site") -> list[TermsDocument]:
    """Record explicit acceptance: who, which version, when, from where, on which channel (T-04).

    Accepting twice changes nothing. Raises Invalid for a document that does not exist.
    """
    documents = []
    for document_id in document_ids:
        document = db.get(TermsDocument, document_id)
        if document is None:
            raise Invalid("There is no such document.")
        if document.digest != digest_of(document.body):
            raise Conflict("This text is not the one that was published, so it can't be accepted. Tell access support.")
        documents.append(document)
        _accept_once(db, account_id, document, channel)
    epochs.changed_account(db, account_id)
    return documents


def _accept_once(db: Db, account_id: str, document: TermsDocument, channel: str) -> None:
    acceptance = TermsAcceptance(account_id=account_id, document_id=document.id, channel=channel)
    address = origin.current().address
    key = log.subject_key(db, account_id)
    if address and key:
        acceptance.address = envelope.seal_with(key, address.encode(), f"terms_acceptance.address:{acceptance.id}")
    if not insert_unless_there(db, TermsAcceptance, acceptance.model_dump()):
        return  # accepted before, perhaps in another tab a moment ago
    details = {
        "document": document.id,
        "kind": document.kind,
        "version": document.version,
        "digest": document.digest,
    }
    log.record(db, Event("accounts.terms.accepted", account=account_id, channel=channel, details=details))


def decline(db: Db, account_id: str, *, channel: str = "site") -> None:
    """Record that a person did not accept: no access, nothing deleted."""
    log.record(db, Event("accounts.terms.declined", account=account_id, outcome="refused", channel=channel))
