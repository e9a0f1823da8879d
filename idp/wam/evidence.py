"""The evidence of a review that is over: what was decided about whom, signed, to be checked years later without us.

The signed bytes are canonical JSON behind a first line that says what they are, so that no other signature of the
key (it also signs the log's checkpoints) can pass for one. The key outlives the tokens' keys.
"""

import base64
import binascii
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlmodel import Session, select

from idp import clock
from idp.audit import checkpoint
from idp.database import of
from idp.entitlements.tables import Entitlement, Grant
from idp.errors import Conflict
from idp.providers.tables import Provider
from idp.settings import NotConfigured
from idp.wam import review_report, roster
from idp.wam.tables import Review

PURPOSE = b"evidence pack v1\n"


class BadEvidence(ValueError):
    """The file is not evidence this key signed; the sentence says why."""


def made(db: Session, review: Review) -> dict[str, Any]:
    """Return the signed evidence of a review; raise Conflict while it is under way."""
    if review.report is None:
        raise Conflict("The evidence is there when the review is signed or over.")
    settings = of(db).settings
    try:
        key = checkpoint.load_key(settings.audit_key_file)
    except NotConfigured:
        raise Conflict("Evidence can't be signed: this service has no key for it. Tell support.") from None
    pack = _pack(db, review, settings.issuer)
    return {
        "pack": pack,
        "signature": base64.b64encode(key.sign(_signed(pack))).decode(),
        "algorithm": "Ed25519",
        "key": f"{settings.issuer}/evidence/key.pem",
    }


def bytes_of(evidence: dict[str, Any]) -> bytes:
    """Return evidence as the file that is handed out."""
    return orjson.dumps(evidence, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)


def check(content: bytes, public: Ed25519PublicKey) -> dict[str, Any]:
    """Return the pack of an evidence file that this key signed; raise BadEvidence."""
    try:
        evidence = orjson.loads(content)
        pack, signature = evidence["pack"], base64.b64decode(evidence["signature"], validate=True)
    except (orjson.JSONDecodeError, KeyError, TypeError, binascii.Error, ValueError):
        raise BadEvidence("This is not an evidence file.") from None
    if not isinstance(pack, dict):
        raise BadEvidence("This is not an evidence file.")
    try:
        public.verify(signature, _signed(pack))
    except InvalidSignature:
        raise BadEvidence("The signature is not this key's, or the content was changed after it.") from None
    return pack


def _signed(pack: dict[str, Any]) -> bytes:
    return PURPOSE + orjson.dumps(pack, option=orjson.OPT_SORT_KEYS)


def _pack(db: Session, review: Review, issuer: str) -> dict[str, Any]:
    report = review.report or {}
    people = list(report.get("people", []))
    ids = {one["account"] for one in people} | {one.get("by") or "" for one in people} | {review.signed_by or ""}
    held = {one["account"]: _grants(db, one) for one in people}
    ids |= {grant["by"] for grants in held.values() for grant in grants}
    names = roster.names_of(db, ids)
    functions = {e.key: e.name for e in db.exec(select(Entitlement)).all()}
    provider = db.get(Provider, review.provider_id)
    return {
        "issuer": issuer,
        "review": review.id,
        "practice": {"id": review.provider_id, "name": provider.name if provider else ""},
        "line": review.line,
        "kind": review.kind,
        "status": review.status,
        "opened_at": clock.iso(review.created_at),
        "due_at": clock.iso(review.due_at),
        "signed_at": clock.iso(review.signed_at) if review.signed_at else None,
        "signed_by": _named(review.signed_by, names),
        "signed_words": report.get("word"),
        "counts": report.get("counts", {}),
        "people": [
            {
                "account": one["account"],
                "name": names[one["account"]],
                "answer": one.get("answer", "ended_unanswered"),
                "answered_by": _named(one.get("by"), names),
                "answered_at": one.get("at"),
                "was_paused": bool(one.get("paused", False)),
                "held": [
                    {
                        "grant": grant["grant"],
                        "function": grant["function"],
                        "name": functions.get(grant["function"], grant["function"]),
                        "since": grant["from"],
                        "until": grant["until"],
                        "given_by": _named(grant["by"], names),
                    }
                    for grant in held[one["account"]]
                ],
                "before": [
                    {
                        "grant": grant["grant"],
                        "function": grant["function"],
                        "name": functions.get(grant["function"], grant["function"]),
                        "until": grant["until"],
                    }
                    for grant in one.get("before", [])
                ],
            }
            for one in people
        ],
    }


def _grants(db: Session, one: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what was held; of reviews that ran out, older versions kept ids alone, and the rows say the rest."""
    found = []
    for grant in one.get("grants", []):
        row = None if isinstance(grant, dict) else db.get(Grant, grant)
        if isinstance(grant, dict):
            found.append(grant)
        elif row is not None:
            found.append(review_report.held(row))
    return found


def _named(account: str | None, names: dict[str, str]) -> dict[str, str] | None:
    return {"account": account, "name": names[account]} if account else None
