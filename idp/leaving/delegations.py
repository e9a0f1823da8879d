"""A delegation ends: with it all that hangs on it, and what the third parties' people had by it (W-6).

The decision compares dates and standing itself; here the rows are ended, tokens and apps told, people written to.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col, select

from idp import clock
from idp.accounts import families
from idp.accounts.tables import Account
from idp.audit import log
from idp.audit.events import Event
from idp.database.history import StatusChange
from idp.entitlements import chains, grants
from idp.entitlements.tables import Delegation, Entitlement, Grant
from idp.leaving import people, telling
from idp.notices import outbox
from idp.partners import members
from idp.partners.tables import Partner
from idp.providers.tables import Affiliation, Provider
from idp.signals import epochs


@dataclass(frozen=True, slots=True)
class Loss:
    """What one person loses when a delegation ends."""

    account: Account
    company: str
    functions: tuple[str, ...]
    """Names; empty for a person who had none."""
    leaves: bool
    """Nothing else ties them to the practice, so they no longer work for it."""


def losses(db: Session, delegation: Delegation) -> list[Loss]:
    """Return who loses what when this delegation ends, with all that hang on it; by company and name."""
    ending = _live(chains.below(db, delegation))
    gone = {row.id for row in ending}
    names = {e.key: e.name for e in db.exec(select(Entitlement)).all()}
    found: dict[str, Loss] = {}
    for partner_id in dict.fromkeys(row.partner_id for row in ending):
        partner = db.get(Partner, partner_id)
        staying = _others(db, delegation.provider_id, partner_id, gone)
        for account in _people(db, delegation.provider_id, partner_id):
            lost = sorted(
                {
                    names.get(g.entitlement, g.entitlement)
                    for g in _lost(db, account.id, delegation.provider_id, gone, staying)
                }
            )
            found[account.id] = Loss(account, partner.name if partner else "", tuple(lost), not staying)
    for account_id, functions in _named_elsewhere(db, gone, set(found)).items():
        account_found = db.get(Account, account_id)
        if account_found is not None:
            found[account_id] = Loss(account_found, "", tuple(sorted(names.get(k, k) for k in functions)), False)
    return sorted(found.values(), key=lambda one: (one.company, one.account.display_name, one.account.id))


def end(db: Session, delegation: Delegation, *, by: str, reason: str) -> bool:
    """End a delegation once, and all that hang on it; return False when it had ended before.

    Whoever worked by it loses that at the very next decision; who has nothing else at the practice leaves it.
    """
    ending = _live(chains.below(db, _locked(db, delegation.id)))
    if not ending or ending[0].id != delegation.id or not _end_row(db, ending[0], by, reason):
        return False
    lost = losses_of(db, delegation.provider_id, ending)
    for row in ending[1:]:
        _end_row(db, row, by, reason)
    epochs.changed_policy(db)
    for account_id in lost:
        _take_away(db, account_id, delegation.provider_id, ending, by=by, reason=reason)
    for row in ending:
        _tell(db, row, reason, sum(1 for partner_id in lost.values() if partner_id == row.partner_id))
    return True


def losses_of(db: Session, provider_id: str, ending: Sequence[Delegation]) -> dict[str, str]:
    """Return account -> company of everybody whom the end of these delegations meets."""
    met = {
        account.id: partner_id
        for partner_id in dict.fromkeys(row.partner_id for row in ending)
        for account in _people(db, provider_id, partner_id)
    }
    return dict.fromkeys(_named_elsewhere(db, {row.id for row in ending}, set(met)), "") | met


def run_out(db: Session, limit: int) -> int:
    """End the delegations that reached their last day; return how many."""
    due = db.exec(
        select(Delegation)
        .where(col(Delegation.ended_at).is_(None), col(Delegation.ends_at) <= clock.now())
        .order_by(col(Delegation.ends_at))
        .limit(limit)
    ).all()
    return sum(end(db, row, by="system", reason="expired") for row in due)


def sign_off(db: Session, partner_id: str) -> None:
    """A company lost its good standing: end the tokens of all who act through it, its own people or a child's.

    Their grants stay, so that they go on when the company is back.
    """
    through = db.exec(
        select(Delegation).where(col(Delegation.partner_id) == partner_id, col(Delegation.ended_at).is_(None))
    ).all()
    places = {(row.provider_id, partner_id) for row in through}
    places |= {(row.provider_id, row.partner_id) for first in through for row in chains.below(db, first)}
    mine = select(Affiliation.provider_id).where(
        col(Affiliation.partner_id) == partner_id, col(Affiliation.ended_at).is_(None)
    )
    places |= {(provider_id, partner_id) for provider_id in db.exec(mine.distinct()).all()}
    for provider_id, company in sorted(places):
        for account in _people(db, provider_id, company):
            families.end_of_person_at(db, account.id, provider_id, because="partner_suspended")
            epochs.changed_account(db, account.id, takes_away=True)


def _locked(db: Session, delegation_id: str) -> Delegation:
    query = select(Delegation).where(col(Delegation.id) == delegation_id).with_for_update()
    return db.exec(query.execution_options(populate_existing=True)).one()


def _live(rows: Iterable[Delegation]) -> list[Delegation]:
    return [row for row in rows if row.ended_at is None]


def _end_row(db: Session, row: Delegation, by: str, reason: str) -> bool:
    now, before = clock.now(), row.status
    ended = db.execute(
        update(Delegation)
        .where(col(Delegation.id) == row.id, col(Delegation.ended_at).is_(None))
        .values(status="ended", ended_at=now, ended_by=by, end_reason=reason)
        .execution_options(synchronize_session=False)
    )
    assert isinstance(ended, CursorResult)
    if ended.rowcount != 1:
        return False
    # The mapper notes statuses of rows it writes; this one decides by its row count, so the note goes with it.
    db.add(StatusChange(subject_id=row.id, status="ended", before=before, at=now))
    db.refresh(row)
    details = {"delegation": row.id, "partner": row.partner_id, "parent": row.parent_id, "by": by}
    log.record(db, Event("wam.delegation.ended", provider=row.provider_id, reason=reason, details=details))
    return True


def _take_away(
    db: Session, account_id: str, provider_id: str, ended: Sequence[Delegation], *, by: str, reason: str
) -> None:
    gone = {row.id for row in ended}
    tie = db.exec(
        select(Affiliation).where(
            col(Affiliation.account_id) == account_id,
            col(Affiliation.provider_id) == provider_id,
            col(Affiliation.ended_at).is_(None),
        )
    ).first()
    staying = _others(db, provider_id, tie.partner_id, gone) if tie and tie.partner_id else []
    if tie is not None and tie.partner_id in {row.partner_id for row in ended} and not staying:
        people.leave(db, account_id, provider_id, reason="delegation_ended", by=by)
        functions = "everything you had there"
    else:
        rows = _lost(db, account_id, provider_id, gone, staying)
        for grant in rows:
            grants.end(db, grant, by=by, reason="delegation_ended")
        if not rows:
            return
        functions = f"{len(rows)} of your functions there"
    provider = db.get(Provider, provider_id)
    facts = {"provider": provider.name if provider else "", "what": functions}
    outbox.send(db, account_id, "delegated_access_ended", facts)


def _tell(db: Session, row: Delegation, reason: str, people_lost: int) -> None:
    """Write to both sides: the practice's access managers, and the company's administrators."""
    provider, partner = db.get(Provider, row.provider_id), db.get(Partner, row.partner_id)
    facts = {
        "provider": provider.name if provider else "",
        "company": partner.name if partner else "",
        "people": str(people_lost),
        "why": {"expired": "its last day has come"}.get(reason, reason),
    }
    for account_id in sorted(both_sides(db, row)):
        outbox.send(db, account_id, "delegation_ended", facts)


def both_sides(db: Session, row: Delegation) -> set[str]:
    """Return who hears of a delegation: the access managers of its lines, and its company's administrators.

    Of one that another company passed on, that one's administrators too.
    """
    told = {m for line in row.lines for m in telling.managers_of(db, row.provider_id, str(line))}
    companies = {row.partner_id} | {link.partner_id for link in chains.of(db, row)}
    return told | {m.account_id for c in companies for m in members.in_force(db, c, administrators=True)}


def _people(db: Session, provider_id: str, partner_id: str) -> list[Account]:
    return list(
        db.exec(
            select(Account)
            .join(Affiliation, col(Affiliation.account_id) == col(Account.id))
            .where(
                col(Affiliation.provider_id) == provider_id,
                col(Affiliation.partner_id) == partner_id,
                col(Affiliation.ended_at).is_(None),
            )
            .order_by(col(Account.id))
        ).all()
    )


def _others(db: Session, provider_id: str, partner_id: str | None, gone: set[str]) -> list[Delegation]:
    """Return the delegations of a practice to a company that stay."""
    rows = db.exec(
        select(Delegation).where(
            col(Delegation.provider_id) == provider_id,
            col(Delegation.partner_id) == partner_id,
            col(Delegation.ended_at).is_(None),
        )
    ).all()
    return [row for row in rows if row.id not in gone]


def _lost(db: Session, account_id: str, provider_id: str, gone: set[str], staying: Sequence[Delegation]) -> list[Grant]:
    """Return the grants that end: those that name an ended delegation, and those no other one covers."""
    covered = {(str(key), str(line)) for row in staying for key in row.entitlements for line in row.lines}
    rows = db.exec(
        select(Grant).where(
            col(Grant.account_id) == account_id,
            col(Grant.provider_id) == provider_id,
            col(Grant.ended_at).is_(None),
            col(Grant.effect) == "allow",
        )
    ).all()
    return [
        row
        for row in rows
        if row.delegation_id in gone
        or (row.delegation_id is None and (row.entitlement, row.line_of_business) not in covered)
    ]


def _named_elsewhere(db: Session, gone: set[str], known: set[str]) -> dict[str, set[str]]:
    """Return account -> functions of grants that name an ended delegation though its person is not the company's."""
    rows = db.exec(select(Grant).where(col(Grant.delegation_id).in_(gone), col(Grant.ended_at).is_(None))).all()
    found: dict[str, set[str]] = {}
    for row in rows:
        if row.account_id not in known:
            found.setdefault(row.account_id, set()).add(row.entitlement)
    return found
