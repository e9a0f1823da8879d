"""A passkey as the second proof of getting back in: a remaining second step, as an app's code is one (domain.md 9).

The keys of an account are named only after its first proof, so a stranger learns of none.
"""

from sqlmodel import Session as Db

from idp.accounts import ceremonies, passkeys, recovery
from idp.accounts.ceremonies import Bound
from idp.accounts.proof_tables import Recovery
from idp.database import Database, transaction


def form(db: Db, row: Recovery, *, browser: str) -> dict[str, str] | None:
    """Return challenge and options for the page of the second proof; None where no passkey can be it."""
    if row.account_id is None or "passkey" not in recovery.standing(db, row).second:
        return None
    challenge, options = passkeys.to_ask(db, _bound(row, browser), account_id=row.account_id, verified=False)
    return {"challenge": challenge, "options": options}


def prove(database: Database, row: Recovery, *, browser: str, challenge: str, answer: str) -> None:
    """Look at one answer: the try is counted and the challenge used up first. Raises PasskeyRefused, Lost."""
    with transaction(database) as db:
        recovery.count_try(db, row.id)
        if row.account_id is None or "passkey" not in recovery.standing(db, row).second:
            raise recovery.Lost
    with transaction(database) as db:
        spent = ceremonies.spend(db, _bound(row, browser), challenge)
    with transaction(database) as db:
        passkeys.verify(db, answer, spent, account_id=row.account_id, verified=False)
        recovery.proved(db, row.id, "factor")


def _bound(row: Recovery, browser: str) -> Bound:
    return Bound("recover", browser, flow=row.id, account=row.account_id or "")
