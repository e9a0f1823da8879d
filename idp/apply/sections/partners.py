"""Partners, the employer accounts shared with them, and who answers for which function."""

from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.apply import past
from idp.apply.difference import differing
from idp.apply.schema.organisations import FunctionOwner as WantedOwner
from idp.apply.schema.organisations import Partner as Wanted
from idp.apply.schema.organisations import SharedAccount as WantedShared
from idp.apply.source import Place
from idp.apply.work import Work
from idp.database.history import ABSENT, whole
from idp.leaving import partners as leaving
from idp.partners import register, shared_accounts
from idp.partners.standing import is_good
from idp.partners.tables import OF_AN_OWNER, FunctionOwner, Partner, SharedAccount

_CONTACT = ("name", "phone", "url")
_DATED = ("status", "contact_name", "contact_phone", "contact_url")


def apply(work: Work, entries: list[Wanted]) -> None:
    """Record and change partners, then what is shared with them (owners may name any partner of the file)."""
    for index, entry in enumerate(entries):
        with work.entry(("partners", index)):
            _one(work, entry)
    for index, entry in enumerate(entries):
        for number, shared in enumerate(entry.shared_accounts):
            place = ("partners", index, "shared_accounts", number)
            with work.entry(place):
                _shared(work, entry.ref, shared, place)


def _one(work: Work, entry: Wanted) -> None:
    db = work.db
    known = work.references.find("partners", entry.ref, Partner)
    contact = _contact_now(work, entry)
    if known is None:
        made = register.record(
            db,
            name=entry.name,
            kind=entry.kind,
            status=past.now(entry, "status", work.at),
            partner_id=entry.id,
            **contact,
        )
        past.was(db, made, entry, *_DATED, new=True)
        work.references.put("partners", entry.ref, made.id)
        work.difference.add("added", "partners", entry.ref)
        return
    row = register.find(db, known)
    wanted: dict[str, Any] = {"name": entry.name}
    if "kind" in entry.model_fields_set:
        wanted["kind"] = entry.kind
    if "contact" in entry.model_fields_set:
        wanted |= contact
    changed = differing(wanted, {name: getattr(row, name) for name in wanted})
    if changed:
        register.change(db, row, **wanted)
    if "status" in entry.model_fields_set and entry.status != row.status:
        changed["status"] = (row.status, entry.status)
        if is_good(row.status) and not is_good(entry.status):
            leaving.suspend(db, row.id, because="applied", status=entry.status)
        elif is_good(entry.status) and not is_good(row.status):
            leaving.reinstate(db, row.id, because="applied", status=entry.status)
        else:
            register.change_status(db, row, entry.status, because="applied")
    if past.was(db, row, entry, *_DATED, new=False):
        changed["history"] = ("without it", "stated")
    if changed:
        work.difference.change("partners", entry.ref, changed)


def _contact_now(work: Work, entry: Wanted) -> dict[str, str]:
    """Return whom to call: as the entry says, else as its history says."""
    lines = [(line.starts, {"contact": line.contact}) for line in entry.history if line.contact is not None]
    said = entry.contact
    if "contact" not in entry.model_fields_set:
        said = past.laid_over({"contact": said}, lines, work.at)["contact"]
    return {f"contact_{name}": getattr(said, name) for name in _CONTACT}


def _shared(work: Work, ref: str, entry: WantedShared, place: Place) -> None:
    db = work.db
    partner_id = work.id_of("partners", ref, place)
    row = shared_accounts.by_number(db, entry.number)
    new = row is None
    if row is None:
        row = shared_accounts.record(
            db,
            account_number=entry.number,
            partner_id=partner_id,
            name=entry.name,
            starts_at=entry.starts or work.at,
            ends_at=entry.until,
        )
        work.difference.add("added", "shared_accounts", entry.number)
    else:
        wanted: dict[str, Any] = {
            "name": entry.name,
            "partner_id": partner_id,
            "starts_at": entry.starts or row.starts_at,
            "ends_at": entry.until,
        }
        changed = differing(wanted, {name: getattr(row, name) for name in wanted})
        if changed:
            shared_accounts.change(db, row, **wanted)
            changed.pop("partner_id", None)
            work.difference.change("shared_accounts", entry.number, changed)
    for function, owner in entry.functions.items():
        at = (*place, "functions", function)
        says = _says(work, owner, at)
        present = _owner(db, row.id, function)
        before = {name: getattr(present, name) for name in says} if present else {}
        changed = differing(says, before)
        if changed:
            shared_accounts.set_owner(db, row, function, **says)
            key = f"{entry.number}, {function}"
            if present is None:
                work.difference.add("added", "shared_accounts", key)
            else:
                told = {name.removesuffix("_id"): pair for name, pair in changed.items()}
                if "partner" in told:
                    told["partner"] = (work.references.name("partners", told["partner"][0] or ""), owner.partner)
                work.difference.change("shared_accounts", key, told)
        if new:  # what a new account begins with, it always had
            past.forget(db, _owner_id(db, row.id, function), "owner")
        if _owned(work, _owner_id(db, row.id, function), owner, at) and not new:
            key = f"{entry.number}, {function}"
            work.difference.change("shared_accounts", key, {"history": ("without it", "stated")})


def _says(work: Work, owner: Any, at: Place) -> dict[str, Any]:
    return {
        "owner": owner.owner,
        "partner_id": work.maybe_id("partners", owner.partner, (*at, "partner")),
        **{f"contact_{name}": getattr(owner.contact, name) for name in _CONTACT},
    }


def _owned(work: Work, owner_id: str, said: WantedOwner, at: Place) -> bool:
    """State who answered for a function on other days; return whether that was new."""
    stated = []
    for line in said.history:
        was = _says(work, line, at)
        named = line.owner != "catalogue"
        stated.append((line.starts, whole([was[name] for name in OF_AN_OWNER]) if named else ABSENT))
    return bool(stated) and past.were(work.db, owner_id, "owner", stated)


def _owner_id(db: Db, shared_account_id: str, entitlement: str) -> str:
    row = _owner(db, shared_account_id, entitlement)
    assert row is not None
    return row.id


def _owner(db: Db, shared_account_id: str, entitlement: str) -> FunctionOwner | None:
    return db.exec(
        select(FunctionOwner).where(
            col(FunctionOwner.shared_account_id) == shared_account_id, col(FunctionOwner.entitlement) == entitlement
        )
    ).one_or_none()


def _contact(row: Any) -> dict[str, str]:
    return {name: value for name in _CONTACT if (value := getattr(row, f"contact_{name}"))}


def export(db: Db, refs: dict[str, str]) -> list[dict[str, Any]]:
    """Return every partner as the file writes it."""
    found = []
    for row in db.exec(select(Partner).order_by(col(Partner.created_at), col(Partner.id))):
        entry: dict[str, Any] = {"ref": refs.get(row.id, row.id), "name": row.name, "kind": row.kind}
        entry["status"] = row.status
        if _contact(row):
            entry["contact"] = _contact(row)
        shared = [_export_shared(db, account, refs) for account in _accounts_of(db, row.id)]
        if shared:
            entry["shared_accounts"] = shared
        found.append(entry)
    return found


def _accounts_of(db: Db, partner_id: str) -> list[SharedAccount]:
    wanted = select(SharedAccount).where(col(SharedAccount.partner_id) == partner_id)
    return list(db.exec(wanted.order_by(col(SharedAccount.account_number))))


def _export_shared(db: Db, row: SharedAccount, refs: dict[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"number": row.account_number, "name": row.name, "from": row.starts_at}
    if row.ends_at:
        entry["until"] = row.ends_at
    owners = db.exec(select(FunctionOwner).where(col(FunctionOwner.shared_account_id) == row.id))
    functions: dict[str, Any] = {}
    for owner in owners:
        told: dict[str, Any] = {"owner": owner.owner}
        if owner.partner_id:
            told["partner"] = refs.get(owner.partner_id, owner.partner_id)
        if _contact(owner):
            told["contact"] = _contact(owner)
        functions[owner.entitlement] = told
    if functions:
        entry["functions"] = dict(sorted(functions.items()))
    return entry
