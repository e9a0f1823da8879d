"""The person says that a decision is wrong; somebody who had no part in it looks again (domain.md 10)."""

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.accounts import humans
from idp.cases import file, staff, telling, urgency
from idp.cases.tables import CaseAction, CaseAppeal, SecurityCase
from idp.database import of
from idp.database.inserting import insert_unless_there
from idp.errors import Conflict, Invalid, NotEntitled, NotFound
from idp.notices import outbox, saying

LONGEST = 2000
OUTCOMES = {"upheld": "The decision stands", "overturned": "The decision was wrong"}


def appeal(db: Db, carried: str, said: str) -> SecurityCase:
    """Take an appeal by the link of a notice, once. Raises NotFound, Invalid without a word, Conflict for a second."""
    case = file.hold(db, telling.of_token(db, carried).id)
    said = checked(said)
    assert case.account_id is not None
    made = CaseAppeal(case_id=case.id, account_id=case.account_id, due_at=urgency.triage_due(db))
    if not insert_unless_there(db, CaseAppeal, made.model_dump()):
        raise Conflict("You appealed already. Somebody looks at it, and you hear from us.")
    file.write(db, case, "appealed", {"appeal": made.id, "said": said}, by=case.account_id)
    _tell_desk(db, case, made, "case_appealed")
    return case


def late(db: Db, limit: int) -> int:
    """Write to everybody who could answer an appeal whose answer is late, once each; return how many."""
    due = db.exec(
        select(CaseAppeal)
        .where(
            col(CaseAppeal.decided_at).is_(None),
            col(CaseAppeal.escalated_at).is_(None),
            col(CaseAppeal.due_at) <= clock.now(),
        )
        .order_by(col(CaseAppeal.due_at))
        .limit(limit)
    ).all()
    for one in due:
        case = file.hold(db, one.case_id)
        db.refresh(one)
        if one.decided_at is not None or one.escalated_at is not None:
            continue
        one.escalated_at = clock.now()
        db.add(one)
        file.write(db, case, "escalated", {"appeal": one.id, "due": clock.iso(one.due_at)}, by="system")
        _tell_desk(db, case, one, "case_appeal_overdue")
    return len(due)


def _tell_desk(db: Db, case: SecurityCase, one: CaseAppeal, template: str) -> None:
    settings = of(db).settings
    facts = {
        "reference": case.reference,
        "due": saying.moment(one.due_at, settings.time_zone),
        "page": f"{settings.issuer}/security/cases/{case.id}#appeal",
    }
    for reader in staff.readers(db, but=took_part(db, case)):
        outbox.send(db, reader, template, facts)


def checked(said: str) -> str:
    """Return an appeal's words as they are kept; raise Invalid without any, or with too many."""
    said = said.strip()
    if not 3 <= len(said) <= LONGEST:
        raise Invalid(fields={"said": f"Say what is wrong, in 3 to {LONGEST} characters."})
    return said


def of_case(db: Db, case_id: str) -> CaseAppeal | None:
    """Return a case's appeal, or None."""
    query = select(CaseAppeal).where(col(CaseAppeal.case_id) == case_id).execution_options(populate_existing=True)
    return db.exec(query).one_or_none()


def took_part(db: Db, case: SecurityCase) -> set[str]:
    """Return who decided, wanted or confirmed anything in a case: none of them judges its appeal."""
    found = {case.decided_by or "", case.account_id or ""}
    for one in db.exec(select(CaseAction).where(col(CaseAction.case_id) == case.id)).all():
        found |= {one.asked_by, one.answered_by or ""}
    return {account for one in found - {""} for account in humans.same(db, one)}


def judged(db: Db, case_id: str, *, by: str, outcome: str, reason: str) -> tuple[CaseAppeal, str]:
    """Return the appeal and the reason as it is kept, where this reader may answer it so; nothing is decided.

    Raises as `decide` does.
    """
    found = of_case(db, case_id)
    if found is None:
        raise NotFound
    if by in took_part(db, db.get_one(SecurityCase, case_id)):
        raise NotEntitled("Somebody who had no part in the decision decides the appeal.", code="own_decision")
    if found.decided_at is not None:
        raise Conflict("Somebody decided this appeal a moment ago.")
    said = " ".join(reason.split())
    fields = {}
    if outcome not in OUTCOMES:
        fields["outcome"] = "Choose what you found."
    if not 10 <= len(said) <= 1000:
        fields["appeal_reason"] = "Say why, in 10 to 1000 characters. The person reads it."
    if fields:
        raise Invalid(fields=fields)
    return found, said
