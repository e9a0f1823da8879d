"""Who may see and who may change a practice's people: the decision, asked for a line the person manages."""

from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import Depends
from sqlmodel import Session

from idp.errors import NotEntitled
from idp.wam import authority
from idp.web.boundary import Transaction
from idp.web.guards import Acting, SignedIn, entitled


def first_open(lines: Sequence[str | None], ask: Callable[[str | None], Acting]) -> Acting:
    """Return what the first line says that does not refuse; raise what the first said where all refuse."""
    refused: NotEntitled | None = None
    for line in lines or (None,):
        try:
            return ask(line)
        except NotEntitled as problem:
            refused = refused or problem
    assert refused is not None
    raise refused


def lines_asked(db: Session, account_id: str, provider_id: str, permission: str) -> list[str | None]:
    """Return the lines of business a permission is asked for, one after the other: to look, what is audited too."""
    theirs = authority.lines_seen if permission == authority.SEES else authority.lines_of
    return list(theirs(db, account_id, provider_id))


def _in_a_line(permission: str) -> Callable[..., Acting]:
    """Ask for the line the address names, if it is theirs, else for the first open to them that they manage.

    (To look: or audit.) Where the insurer closed one line, the others of the practice go on.
    """

    def guard(p: str, person: SignedIn, db: Transaction, line: str | None = None) -> Acting:
        lines = lines_asked(db, person.account.id, p, permission)
        return first_open([line] if line in lines else lines, lambda asked: entitled(permission, asked)(p, person, db))

    return guard


Sees = Annotated[Acting, Depends(_in_a_line("access.view"))]
"""May look at the people of the practice in the path."""
Approves = Annotated[Acting, Depends(_in_a_line("delegation.approve"))]
"""May let outside companies work for the practice; needs a fresh second factor."""
Manages = Annotated[Acting, Depends(_in_a_line("access.manage"))]
"""May change them; needs a fresh second factor."""


def lines_of(db: Session, acting: Acting) -> list[str]:
    """Return the lines this person manages here."""
    return authority.lines_of(db, acting.visitor.account.id, acting.provider.id)


def lines_seen(db: Session, acting: Acting) -> list[str]:
    """Return the lines whose access this person may look at here."""
    return authority.lines_seen(db, acting.visitor.account.id, acting.provider.id)
