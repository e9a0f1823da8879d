"""The desk hears at once that somebody answered: who works on the case, or everybody while nobody does."""

from sqlmodel import Session as Db

from idp.cases import staff
from idp.cases.tables import OPEN, SecurityCase
from idp.database import of
from idp.notices import outbox


def answered(db: Db, case: SecurityCase) -> None:
    """Write that an answer is in, of a case that is the desk's; what was answered stands on the case alone."""
    if case.status not in OPEN or case.status == "question":
        return
    readers = staff.readers(db, but={case.account_id or ""})
    facts = {"reference": case.reference, "page": f"{of(db).settings.issuer}/security/cases/{case.id}#answers"}
    for reader in [case.worked_by] if case.worked_by in readers else readers:
        outbox.send(db, reader, "case_answered", facts)
