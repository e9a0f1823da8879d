"""The identity providers we trust."""

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts.assurance import AAL1, AAL2, PHR
from idp.apply.difference import differing
from idp.apply.schema.organisations import Upstream as Wanted
from idp.apply.sections.clients import variable
from idp.apply.source import Place
from idp.apply.work import Work
from idp.federation import saml_trust, upstreams
from idp.federation.tables import Upstream

FIELDS = ("display_name", "issuer", "client_id", "auth_method", "scopes", "algorithms", "acr_map", "domains", "status")
_ACR = {"aal1": AAL1, "aal2": AAL2, "phr": PHR}
_SHORT = {value: name for name, value in _ACR.items()}


def apply(work: Work, entries: list[Wanted]) -> None:
    """Register and change upstreams."""
    for index, entry in enumerate(entries):
        place = ("upstreams", index)
        with work.entry(place):
            _one(work, entry, place)


def _one(work: Work, entry: Wanted, place: Place) -> None:
    db = work.db
    known = work.references.find("upstreams", entry.ref, Upstream)
    row = db.get(Upstream, known) if known else None
    wanted = {name: getattr(entry, name) for name in FIELDS if row is None or name in entry.model_fields_set}
    if "acr_map" in wanted:
        wanted["acr_map"] = levels(entry.acr_map)
    partner_id = work.id_of("partners", entry.partner, (*place, "partner"))
    secret = _secret(work, entry, row, place)
    saml = _saml(work, entry, row, place) if entry.kind == "saml" else None
    if row is None:
        made = upstreams.register(
            db,
            partner_id=partner_id,
            kind=entry.kind,
            client_secret=secret,
            upstream_id=entry.id,
            saml=saml,
            **wanted,
        )
        work.references.put("upstreams", entry.ref, made.id)
        work.difference.add("added", "upstreams", entry.ref)
        return
    if row.partner_id != partner_id:
        raise work.wrong((*place, "partner"), "an upstream does not change its partner; record another upstream")
    if row.kind != entry.kind:
        raise work.wrong((*place, "kind"), "an upstream does not change its protocol; record another upstream")
    changed = differing(wanted, {name: getattr(row, name) for name in wanted})
    if saml is not None:
        changed |= differing(saml, saml_trust.of_upstream(db, row.id))
    if upstreams.change(db, row.id, client_secret=secret, saml=saml, **wanted):
        work.difference.change("upstreams", entry.ref, changed or {"client_secret": ("(one secret)", "(another)")})


def _secret(work: Work, entry: Wanted, row: Upstream | None, place: Place) -> str | None:
    if entry.client_secret is None:
        return None
    try:
        found: str = entry.client_secret.reveal(work.source.folder)
    except ValueError as problem:
        if row is None or row.client_secret is None:
            raise work.wrong((*place, "client_secret"), str(problem)) from None
        work.difference.add("kept", "upstreams", entry.ref, because=f"its secret stays: {problem}")
        return None
    return found


def _saml(work: Work, entry: Wanted, row: Upstream | None, place: Place) -> dict[str, Any]:
    """Return what the file says of a SAML upstream's metadata; what it does not say stays."""
    wanted = {name: getattr(entry, name) for name in saml_trust.FIELDS if row is None or name in entry.model_fields_set}
    if entry.metadata is not None:
        wanted["metadata"], wanted["metadata_url"] = work.document(entry.metadata, (*place, "metadata")), None
    else:
        wanted["metadata"], wanted["metadata_url"] = None, entry.metadata_url
    return wanted


def levels(written: Mapping[str, str]) -> dict[str, str]:
    """Return a map of strengths as it is stored: their value -> ours."""
    return {theirs: _ACR[ours] for theirs, ours in written.items()}


def levels_in_short(stored: Mapping[str, str]) -> dict[str, str]:
    """Return a map of strengths as the file writes it."""
    return {theirs: _SHORT[ours] for theirs, ours in stored.items()}


def export(db: Db, refs: dict[str, str], partners: dict[str, str]) -> list[dict[str, Any]]:
    """Return every recorded upstream as the file writes it; one of a trust community is found there again."""
    found = []
    recorded = select(Upstream).where(col(Upstream.community_id).is_(None))
    for row in db.exec(recorded.order_by(col(Upstream.created_at), col(Upstream.id))):
        ref = refs.get(row.id, row.id)
        entry: dict[str, Any] = {"ref": ref, "partner": partners.get(row.partner_id, row.partner_id), "kind": row.kind}
        for name in FIELDS:
            value = getattr(row, name)
            if name == "acr_map":
                value = levels_in_short(row.acr_map)
            default = Wanted.model_fields[name].default
            if value != default:
                entry[name] = value
        of_saml = saml_trust.of_upstream(db, row.id)
        entry |= {name: value for name, value in of_saml.items() if value != Wanted.model_fields[name].default}
        if row.client_secret is not None:
            entry["client_secret"] = "env:" + variable("UPSTREAM_SECRET", ref)
        found.append(entry)
    return found
