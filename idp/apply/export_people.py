"""People, appointments, grants and test sessions as the applied file writes them."""

from collections import defaultdict
from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts.tables import (
    Account,
    Attestation,
    Contact,
    Factor,
    Login,
    Password,
    Session,
    TermsAcceptance,
    TermsDocument,
)
from idp.apply.sections import companies
from idp.apply.sections.clients import variable
from idp.apply.sections.providers import dates
from idp.apply.sections.sessions import ACR
from idp.apply.work import References, rows
from idp.entitlements.tables import Appointment, Assignment, BundleItem, Grant
from idp.providers import places
from idp.providers.tables import Affiliation

_SHORT = {value: name for name, value in ACR.items()}


def export(db: Db, names: References, *, development: bool) -> dict[str, list[dict[str, Any]]]:
    """Return the sections people, appointments, grants and, in development, sessions."""
    told = {
        "people": _people(db, names, development=development),
        "appointments": _appointments(db, names),
        "grants": _grants(db, names),
    }
    return {**told, "sessions": _sessions(db, names)} if development else told


def _by(found: list[Any], key: str) -> dict[str, list[Any]]:
    grouped: dict[str, list[Any]] = defaultdict(list)
    for row in found:
        grouped[getattr(row, key)].append(row)
    return grouped


def _people(db: Db, names: References, *, development: bool) -> list[dict[str, Any]]:
    refs, upstreams = names.named("people"), names.named("upstreams")
    contacts = _by(rows(db, Contact), "account_id")
    logins = _by(rows(db, Login, col(Login.ended_at).is_(None)), "account_id")
    passwords = set(db.exec(select(Password.login_id)))
    factors = _by(rows(db, Factor, Factor.kind == "totp", col(Factor.ended_at).is_(None)), "account_id")
    affiliations = _by(rows(db, Affiliation), "account_id")
    documents = {row.id: row for row in rows(db, TermsDocument)}
    accepted = _by(rows(db, TermsAcceptance), "account_id")
    attested = _by(rows(db, Attestation), "account_id")
    employed = companies.export(db, names)
    found = []
    for row in rows(db, Account):
        ref = refs.get(row.id, row.id)
        entry: dict[str, Any] = {"ref": ref, "name": row.display_name}
        entry |= {name: value for name in ("given_name", "family_name") if (value := getattr(row, name))}
        if row.locale != "en":
            entry["locale"] = row.locale
        if contacts[row.id]:
            entry["emails"] = [contact.email for contact in contacts[row.id]]
        local = next((login for login in logins[row.id] if login.id in passwords), None)
        if local:
            entry |= {"user_name": local.subject, "password": "env:" + variable("PASSWORD", ref)}
        if any(factor.confirmed_at for factor in factors[row.id]):
            entry["totp"] = "env:" + variable("TOTP", ref)
        outside = [login for login in logins[row.id] if login.upstream_id]
        if outside:
            entry["logins"] = [
                {"upstream": upstreams.get(login.upstream_id, login.upstream_id), "subject": login.subject}
                for login in outside
            ]
        entry |= {"ial": row.ial, "status": row.status}
        if affiliations[row.id]:
            entry["affiliations"] = [_affiliation(db, one, names) for one in affiliations[row.id]]
        if employed.get(row.id):
            entry["companies"] = employed[row.id]
        if development and accepted[row.id]:
            entry["terms"] = [
                {"kind": documents[one.document_id].kind, "version": documents[one.document_id].version}
                | {"at": one.accepted_at}
                for one in accepted[row.id]
            ]
        if development and attested[row.id]:
            last = max(attested[row.id], key=lambda one: one.attested_at)
            entry["attested"] = {"capacity": last.capacity, "principal": last.principal, "at": last.attested_at}
        found.append(entry)
    return found


def _affiliation(db: Db, row: Affiliation, names: References) -> dict[str, Any]:
    told: dict[str, Any] = {"provider": names.name("providers", row.provider_id), "capacity": row.capacity}
    if row.partner_id:
        told["partner"] = names.name("partners", row.partner_id)
    if row.locations is not None:
        told["locations"] = places.names_of(db, row.provider_id, row.locations)
    if row.approved_by not in ("", "operator"):
        told["approved_by"] = row.approved_by
    return told | dates(row) | _why(row)


def _why(row: Any) -> dict[str, str]:
    return {"end_reason": row.end_reason} if row.ended_at and row.end_reason else {}


def _ref(names: References, section: str, row_id: str) -> dict[str, str]:
    return {"ref": names.named(section).get(row_id, row_id)}


def _appointments(db: Db, names: References) -> list[dict[str, Any]]:
    return [
        {
            **_ref(names, "appointments", row.id),
            "person": names.name("people", row.account_id),
            "provider": names.name("providers", row.provider_id),
            "line": row.line,
            "verified_by": row.verified_by,
            **dates(row),
            **_why(row),
        }
        for row in rows(db, Appointment)
    ]


def _grants(db: Db, names: References) -> list[dict[str, Any]]:
    """Return jobs, and what stands by itself: also what is left of a job that somebody took a part of."""
    found, given = [], defaultdict[str | None, list[Grant]](list)
    for grant in rows(db, Grant):
        given[grant.assignment_id].append(grant)
    single, jobs = given[None], defaultdict[tuple[str, int], set[str]](set)
    for item in db.exec(select(BundleItem)):
        jobs[item.bundle, item.version].add(item.entitlement)
    for row in rows(db, Assignment):
        of_job = given[row.id]
        # A file that names the job would give back what somebody took of it.
        whole = {one.entitlement for one in of_job if one.ended_at is None} == jobs[row.bundle, row.version]
        if row.ended_at is None and not whole:
            single += of_job
            continue
        if row.ended_at is not None:
            single += [one for one in of_job if one.ended_at is None or one.ended_at > row.ended_at]
        first = of_job[0] if of_job else None
        found.append(
            _who(row, row.line, names)
            | {"bundle": row.bundle, "granted_by": row.assigned_by}
            | ({"reason": first.reason} if first else {})
            | dates(row)
        )
    for grant in single:
        entry = _who(grant, grant.line_of_business, names) | {"entitlement": grant.entitlement}
        if grant.effect == "deny":
            entry["effect"] = "deny"
        if grant.delegation_id:
            entry["delegation"] = names.name("delegations", grant.delegation_id)
        entry |= {"granted_by": grant.granted_by, "reason": grant.reason, "from": grant.not_before}
        entry |= {"until": grant.expires_at} if grant.expires_at else {}
        found.append(entry | ({"ended": grant.ended_at} if grant.ended_at else {}) | _why(grant))
    return found


def _who(row: Any, line: str, names: References) -> dict[str, Any]:
    return {
        **_ref(names, "grants", row.id),
        "person": names.name("people", row.account_id),
        "provider": names.name("providers", row.provider_id),
        "line": line,
    }


def _sessions(db: Db, names: References) -> list[dict[str, Any]]:
    found = []
    for row_id, ref in names.named("sessions").items():
        row = db.get(Session, row_id)
        if row is None:
            continue
        entry: dict[str, Any] = {
            "ref": ref,
            "person": names.name("people", row.account_id),
            "acr": _SHORT[row.acr],
            "amr": row.amr,
        }
        entry |= {"at": row.auth_time, "seen_at": row.last_seen_at, "until": row.expires_at, "channel": row.channel}
        entry |= {"factor_at": row.factor_time} if row.factor_time else {}
        entry |= {"partner": names.name("partners", row.partner_id)} if row.partner_id else {}
        found.append(entry | ({"ended": row.ended_at} if row.ended_at else {}))
    return found
