"""A person's own acts over the API: what they may do at a practice, asking for more, giving back (RU-5, T-18)."""

from typing import Annotated, Any

from fastapi import Depends, Response
from starlette.concurrency import run_in_threadpool

from idp.errors import NotFound
from idp.wam import authority, requests, roster
from idp.wam.tables import AccessRequest
from idp.web.bearer import Caller
from idp.web.boundary import Transaction
from idp.web.console.bodies import Key, Line, Sent, Text
from idp.web.console.caller import caller_of, visitor_of
from idp.web.console.once import TheOnce
from idp.web.console.routing import part
from idp.web.guards import Visitor

PREFIX = "/api/v1/me/practices/{p}"
router = part(PREFIX)


class Mine:
    """A person at a practice they work for, by a token made for it."""

    def __init__(self, visitor: Visitor, provider_id: str) -> None:
        self.visitor, self.provider_id = visitor, provider_id

    @property
    def account_id(self) -> str:
        """Whose acts these are."""
        return self.visitor.account.id

    @staticmethod
    async def guard(p: str, db: Transaction, caller: Annotated[Caller, Depends(caller_of)]) -> "Mine":
        """Let in whose token was made for this practice, while they work there."""
        if caller.provider_id != p:  # the token names the practice it is for; another one is not there
            raise NotFound
        return await run_in_threadpool(_working_there, db, caller, p)


class Asked(Sent):
    """A function a person asks for, and what they need it for; their access managers read it."""

    line: Line
    function: Key
    note: Text


class GivenBack(Sent):
    """A function a person gives back."""

    line: Line
    function: Key


def _working_there(db: Transaction, caller: Caller, p: str) -> Mine:
    visitor = visitor_of(db, caller)
    if authority.person(db, p, visitor.account.id).affiliation is None:
        raise NotFound
    return Mine(visitor, p)


Me = Annotated[Mine, Depends(Mine.guard)]
"""A person, at the practice their token was made for."""


@router.get("/access")
def access(db: Transaction, me: Me) -> dict[str, Any]:
    """Show what I may do at the practice, from whom, until when, and whether it rests."""
    return {
        "functions": [
            {
                "function": one.function.key,
                "name": one.function.name,
                "line": one.grant.line_of_business,
                "given_by": one.given_by,
                "since": one.grant.not_before,
                "until": one.grant.expires_at,
                "paused": one.paused,
            }
            for one in roster.functions_of(db, me.provider_id, me.account_id)
        ]
    }


@router.get("/requests")
def asked(db: Transaction, me: Me) -> dict[str, Any]:
    """List my last hundred requests at the practice, newest first, with what became of each."""
    waiting = requests.of_person(db, me.account_id, me.provider_id, waiting=True)
    answered = requests.of_person(db, me.account_id, me.provider_id, waiting=False)
    return {"more": len(answered) >= requests.ANSWERED, "requests": [_told(one) for one in [*waiting, *answered]]}


@router.get("/askable")
def askable(db: Transaction, me: Me, line: Line) -> dict[str, Any]:
    """List what I could ask for in a line: what the practice holds, and I have not and don't ask for yet."""
    found = requests.askable(db, me.account_id, me.provider_id, line)
    return {"line": line, "functions": [{"function": one.key, "name": one.name, "app": one.app} for one in found]}


@router.post("/requests", status_code=201)
def ask(db: Transaction, me: Me, once: TheOnce, body: Asked) -> Response:
    """Ask my access managers for a function; it waits, nothing opens."""

    def work() -> dict[str, Any]:
        made = requests.ask(
            db,
            account_id=me.account_id,
            provider_id=me.provider_id,
            line=body.line,
            entitlement=body.function,
            note=body.note,
        )
        return _told(made)

    return once.answer(db, me, work, 201)


@router.post("/requests/{x}/withdrawal")
def take_back(db: Transaction, me: Me, once: TheOnce, x: str) -> Response:
    """Take my request back while it waits; somebody else's is not there."""

    def work() -> dict[str, Any]:
        found = db.get(AccessRequest, x[:64])
        if found is None or found.provider_id != me.provider_id or not requests.withdraw(db, found.id, me.account_id):
            raise NotFound
        return _told(found)

    return once.answer(db, me, work)


@router.post("/given-back")
def give_back(db: Transaction, me: Me, once: TheOnce, body: GivenBack) -> Response:
    """Give a function back: it ends at once, and nobody has to agree."""

    def work() -> dict[str, Any]:
        ended = requests.give_up(
            db, account_id=me.account_id, provider_id=me.provider_id, line=body.line, entitlement=body.function
        )
        return {"function": body.function, "line": body.line, "ended": ended}

    return once.answer(db, me, work)


def _told(one: AccessRequest) -> dict[str, Any]:
    return {
        "request": one.id,
        "line": one.line,
        "function": one.entitlement,
        "note": one.note,
        "status": one.status,
        "reason": one.reason,
        "asked_at": one.created_at,
        "ends_unanswered_at": one.expires_at,
        "decided_at": one.decided_at,
    }
