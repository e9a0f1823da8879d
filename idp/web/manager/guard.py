"""Who may see and who may change a practice's people: the decision, asked for a line the person manages."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends

from idp.wam import authority
from idp.web.boundary import Transaction
from idp.web.guards import Acting, SignedIn, entitled


def _in_a_line(permission: str) -> Callable[..., Acting]:
    """Ask for the line the address names, if it is theirs, else for the first they manage (to look: or audit)."""
    theirs = authority.lines_seen if permission == authority.SEES else authority.lines_of

    def guard(p: str, person: SignedIn, db: Transaction, line: str | None = None) -> Acting:
        lines = theirs(db, person.account.id, p)
        asked = line if line in lines else next(iter(lines), None)
        return entitled(permission, asked)(p, person, db)

    return guard


Sees = Annotated[Acting, Depends(_in_a_line("access.view"))]
"""May look at the people of the practice in the path."""
Approves = Annotated[Acting, Depends(_in_a_line("delegation.approve"))]
"""May let outside companies work for the practice; needs a fresh second factor."""
Manages = Annotated[Acting, Depends(_in_a_line("access.manage"))]
"""May change them; needs a fresh second factor."""
