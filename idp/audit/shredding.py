"""Shred a person: destroy the key of their person fields. The records stay as they are, and the proof with them."""

from sqlalchemy import CursorResult, update
from sqlmodel import Session, col

from idp import clock
from idp.audit import holds, log
from idp.audit.events import Event
from idp.audit.tables import SubjectKey
from idp.errors import Conflict, NotFound


def shred(db: Session, account_id: str) -> None:
    """Destroy the person's key for good.

    Raises Conflict under a legal hold or when it was done before, NotFound where no record holds person fields of
    theirs. Who may ask, and that the person has left, is the caller's to decide. Backups keep the key until they are
    overwritten.
    """
    holds.refuse_held(db, account_id)
    row = db.get(SubjectKey, account_id)
    if row is None:
        raise NotFound("The log keeps no person fields of this account.")
    live = (col(SubjectKey.account_id) == account_id, col(SubjectKey.key).is_not(None))
    done = db.execute(update(SubjectKey).where(*live).values(key=None, shredded_at=clock.now()))
    assert isinstance(done, CursorResult)
    if done.rowcount != 1:
        raise Conflict("This person's fields were destroyed before.")
    db.expire(row)
    log.forget_key(db, account_id)
    log.record(db, Event("audit.person.shredded", account=account_id))
