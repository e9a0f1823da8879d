"""Who may act on cases, and who is partial: of the desk themself, or under a case (security.md 64 to 66)."""

from collections.abc import Iterable

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.accounts import humans
from idp.cases import staff
from idp.cases.staff import ACTS, WORKS
from idp.cases.tables import SecurityCase
from idp.casework import desk
from idp.entitlements import asking
from idp.entitlements.question import OURSELVES, Question
from idp.providers.tables import Provider


def acts_on_cases(db: Db, account_id: str) -> bool:
    """Say whether somebody may act on cases now, but for how they are signed in: nobody else acts by this answer."""
    insurer = db.exec(select(Provider.id).where(col(Provider.kind) == "insurer")).first()
    if insurer is None:
        return False
    asked = Question(
        account_id=account_id, entitlement=ACTS, provider_id=insurer, app=OURSELVES, assume_authenticated=True
    )
    return asking.decide_in_session(db, asked).allowed


def partial(db: Db, ids: Iterable[str]) -> set[str]:
    """Return which of some accounts work at the desk or are under a case of its, by any account of theirs."""
    whose = humans.by_account(db, ids)
    under = select(SecurityCase.account_id).where(
        col(SecurityCase.account_id).in_(list(whose)), col(SecurityCase.status).in_(desk.WORKED)
    )
    found = set(db.exec(under).all()) | set(staff.holders(db, WORKS, ACTS))
    return {root for account_id, root in whose.items() if account_id in found}
