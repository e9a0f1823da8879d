"""The records of SAML upstreams: metadata as the partner gave it, and our own keys for each of them.

The package that reads XML is imported only here and when somebody signs in, never at start-up.
"""

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.audit import log
from idp.audit.events import Event
from idp.database import of
from idp.errors import Conflict, Invalid
from idp.federation.contract import AnswerRefused
from idp.federation.tables import SamlKey, SamlTrust, Upstream
from idp.outbound import Outbound

FIELDS = ("metadata", "metadata_url", "metadata_certificate", "binding")
_SENTENCES = {
    "metadata_issuer": "The metadata does not describe this issuer exactly once.",
    "metadata_no_idp": "The metadata describes no SAML 2.0 identity provider.",
    "metadata_endpoint": "The metadata names no sign-on address we can send people to.",
    "metadata_certificate": "The metadata names no readable signing certificate, or too many.",
    "metadata_weak_key": "A signing key is too weak: RSA needs 2048 bits, elliptic curves 256.",
    "metadata_expired": "The metadata says itself that it is no longer valid.",
}


def entity_id(issuer: str, upstream_id: str) -> str:
    """Return what we call ourselves towards an upstream that was given no other name: where our metadata is."""
    return f"{issuer}/login/{upstream_id}/metadata"


def logout_address(issuer: str, upstream_id: str) -> str:
    """Return where an upstream's logout messages come in."""
    return f"{issuer}/login/{upstream_id}/slo"


def put(db: Db, upstream: Upstream, wanted: Mapping[str, Any]) -> list[str]:
    """Record what a SAML upstream needs; return the names of what changed. Raises Invalid with field names."""
    trust = db.get(SamlTrust, upstream.id) or SamlTrust(upstream_id=upstream.id)
    before = fields_of(trust)
    now_wanted = {**before, **wanted}
    _check(db, upstream, now_wanted)
    trust.metadata_url, trust.metadata_text = now_wanted["metadata_url"], now_wanted["metadata"]
    trust.metadata_certificate, trust.binding = now_wanted["metadata_certificate"], now_wanted["binding"]
    db.add(trust)
    if not keys(db, upstream.id):
        _make_key(db, upstream.id, "active")
    db.flush()
    return sorted(name for name in FIELDS if before[name] != now_wanted[name])


def fields_of(trust: SamlTrust) -> dict[str, Any]:
    """Return a record as the applied file names it."""
    return {
        "metadata": trust.metadata_text,
        "metadata_url": trust.metadata_url,
        "metadata_certificate": trust.metadata_certificate,
        "binding": trust.binding,
    }


def of_upstream(db: Db, upstream_id: str) -> dict[str, Any]:
    """Return a record's fields, empty for an upstream of another protocol."""
    trust = db.get(SamlTrust, upstream_id)
    return fields_of(trust) if trust is not None else {}


def details(db: Db, upstream_id: str) -> dict[str, Any]:
    """Return what the connector needs: the record and our keys, opened."""
    ring = of(db).ring
    return {
        **of_upstream(db, upstream_id),
        "logout": logout_address(of(db).settings.issuer, upstream_id),
        "keys": [
            {
                "state": key.state,
                "certificate": key.certificate,
                "private": ring.open("upstreams", _place(key.id), key.private).decode(),
            }
            for key in keys(db, upstream_id)
        ],
    }


def our_metadata(db: Db, upstream: Upstream) -> bytes:
    """Return how a SAML upstream knows us, also before its partner is active: it is loaded there first."""
    from idp.federation.connectors.saml import ours

    here = f"{of(db).settings.issuer}/login/{upstream.id}"
    known = [(key.state, key.certificate) for key in keys(db, upstream.id)]
    return ours.metadata(
        upstream.client_id, known, f"{here}/callback", logout_address(of(db).settings.issuer, upstream.id)
    )


def keys(db: Db, upstream_id: str) -> list[SamlKey]:
    """Return our keys for an upstream, oldest first."""
    query = select(SamlKey).where(col(SamlKey.upstream_id) == upstream_id)
    return list(db.exec(query.order_by(col(SamlKey.created_at), col(SamlKey.id))))


def prepare_key(db: Db, upstream: Upstream) -> SamlKey:
    """Make the next key: our metadata lists it, and assertions may be encrypted for it. Raises Conflict."""
    _of_saml(upstream)
    if any(key.state == "next" for key in keys(db, upstream.id)):
        raise Conflict("A next key is waiting already. Let it sign once the partner has loaded our new metadata.")
    return _make_key(db, upstream.id, "next")


def rotate_key(db: Db, upstream: Upstream) -> SamlKey:
    """Let the next key sign; the one before still opens what was encrypted for it, until the next rotation."""
    _of_saml(upstream)
    found = {key.state: key for key in keys(db, upstream.id)}
    if "next" not in found:
        raise Conflict("There is no next key. Make one first, and let the partner load our new metadata.")
    if "retiring" in found:
        db.delete(found["retiring"])
    found["active"].state, found["next"].state = "retiring", "active"
    db.add_all([found["active"], found["next"]])
    db.flush()
    _record(db, upstream.id, found["next"].id, "signs")
    return found["next"]


def _of_saml(upstream: Upstream) -> None:
    if upstream.kind != "saml":
        raise Conflict("This login does not speak SAML; it has no key of ours.")


def _make_key(db: Db, upstream_id: str, state: str) -> SamlKey:
    from idp.federation.connectors.saml import ours

    now = clock.now()
    private, certificate = ours.new_key(f"{of(db).settings.issuer} {upstream_id}", now)
    made = SamlKey(upstream_id=upstream_id, state=state, certificate=certificate, private=b"", ends_at=now + ours.VALID)
    made.private = of(db).ring.seal("upstreams", _place(made.id), private.encode())
    db.add(made)
    db.flush()
    _record(db, upstream_id, made.id, "made")
    return made


def _record(db: Db, upstream_id: str, key: str, reason: str) -> None:
    event = Event("federation.upstream.key_changed", reason=reason, details={"upstream": upstream_id, "key": key})
    log.record(db, event)


def _check(db: Db, upstream: Upstream, wanted: Mapping[str, Any]) -> None:
    outbound = Outbound(development=of(db).settings.development)
    text, url = wanted["metadata"], wanted["metadata_url"]
    if (text is None) == (url is None):
        raise Invalid(
            fields={"metadata": "Give the partner's metadata, or the address it is published at; one of them."}
        )
    if url is not None and not outbound.allowed(url):
        raise Invalid(fields={"metadata_url": "The address must be https (in development also http on this machine)."})
    if wanted["binding"] not in ("redirect", "post"):
        raise Invalid(fields={"binding": "Choose redirect or post."})
    from idp.federation.connectors.saml import metadata, signed

    now = clock.now()
    signers = None
    if wanted["metadata_certificate"] is not None:
        try:
            trusted = metadata.certificate_of(wanted["metadata_certificate"])
        except AnswerRefused:
            sentence = "This is not a certificate we can read, or its key is too weak."
            raise Invalid(fields={"metadata_certificate": sentence}) from None
        signers = signed.Signers([trusted], upstream.algorithms, now)
    if text is None:
        return
    try:
        found = metadata.described(text.encode(), upstream.issuer, signers)
        found.usable(now)
    except AnswerRefused as problem:
        sentence = _SENTENCES.get(problem.reason, f"The metadata cannot be used ({problem.reason}).")
        raise Invalid(fields={"metadata": sentence}) from problem
    if not all(outbound.allowed(address) for address in found.addresses()):
        raise Invalid(fields={"metadata": "The metadata names an address that is not https."})


def _place(key_id: str) -> str:
    return f"saml_key.private:{key_id}"
