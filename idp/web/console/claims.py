"""The acts of who claims to be a practice's first access manager, over the API: prove, ask for a proof, take on (W-1).

The caller has an account already and works for somebody else too, or for nobody yet: the token is made for no practice.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import Depends, Response
from pydantic import Field
from sqlmodel import Session as Db
from sqlmodel import col, select
from starlette.concurrency import run_in_threadpool

from idp.errors import NotFound
from idp.first_managers import confirming, facts, keys
from idp.registration import first_manager
from idp.registration.tables import FirstManagerClaim
from idp.web.bearer import Caller
from idp.web.boundary import Transaction
from idp.web.console.bodies import Sent
from idp.web.console.caller import caller_of, visitor_of
from idp.web.console.first_managers import told
from idp.web.console.once import TheOnce
from idp.web.console.routing import part
from idp.web.guards import Visitor

PREFIX = "/api/v1/me/first-manager-claims"
router = part(PREFIX)
CLAIMS = 100
"""Claims of one person that are listed, the newest."""
Typed = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00]*$")]


class Claimant:
    """A person whose claims these are."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor

    @property
    def account_id(self) -> str:
        """Whose claims these are."""
        return self.visitor.account.id

    @staticmethod
    async def guard(db: Transaction, caller: Annotated[Caller, Depends(caller_of)]) -> "Claimant":
        """Let in whose token was made for no practice."""
        if caller.provider_id is not None:  # what an app may do for a practice it may not do for a claim to another one
            raise NotFound
        return Claimant(await run_in_threadpool(visitor_of, db, caller))


class Fact(Sent):
    """A claim or payment of the last 60 days, which only the practice can know."""

    kind: Literal["claim", "payment"]
    number: Typed
    amount: Typed


class LetterKey(Sent):
    """The key of the letter that came by post."""

    key: Typed


class Duties(Sent):
    """The word to have read what an access manager does, and to do it."""

    duties: Literal[True]


Me = Annotated[Claimant, Depends(Claimant.guard)]
"""A person, by a token made for no practice."""


@router.get("")
def mine(db: Transaction, me: Me) -> dict[str, Any]:
    """List my claims, newest first: how each stands, and how many wrong proofs are left."""
    rows = db.exec(
        select(FirstManagerClaim)
        .where(col(FirstManagerClaim.account_id) == me.account_id)
        .order_by(col(FirstManagerClaim.created_at).desc(), col(FirstManagerClaim.id))
        .limit(CLAIMS + 1)
    ).all()
    return {"more": len(rows) > CLAIMS, "claims": [_shown(one) for one in rows[:CLAIMS]]}


@router.post("/{x}/fact")
def by_fact(db: Transaction, me: Me, once: TheOnce, x: str, body: Fact) -> Response:
    """Prove it by a claim or payment; a wrong one counts as one of five tries."""

    def prove(claim_id: str) -> None:
        facts.prove(db, claim_id, account_id=me.account_id, kind=body.kind, number=body.number, amount=body.amount)

    return _proven(db, me, once, x, prove)


@router.post("/{x}/letter-key")
def by_letter(db: Transaction, me: Me, once: TheOnce, x: str, body: LetterKey) -> Response:
    """Prove it by the key of the letter; a wrong one counts as one of five tries."""
    return _proven(
        db, me, once, x, lambda claim_id: keys.prove_by_letter(db, claim_id, account_id=me.account_id, key=body.key)
    )


@router.post("/{x}/letter")
def letter(db: Transaction, me: Me, once: TheOnce, x: str) -> Response:
    """Ask for a letter to the practice's address on file; whether there is one, nobody is told."""

    def work() -> dict[str, Any]:
        keys.ask_letter(db, _mine(db, me, x).id, account_id=me.account_id)
        return {"asked": "letter"}

    return once.answer(db, me, work)


@router.post("/{x}/call")
def call(db: Transaction, me: Me, once: TheOnce, x: str) -> Response:
    """Ask to be called back at the practice's own number; the answer holds the number to read out then."""

    def work() -> dict[str, Any]:
        return {"asked": "call", "read_out": keys.ask_call(db, _mine(db, me, x).id, account_id=me.account_id)}

    return once.answer(db, me, work)


@router.post("/{x}/duties")
def accept(db: Transaction, me: Me, once: TheOnce, x: str, body: Duties) -> Response:
    """Take on the duties of an access manager, once the insurer confirmed the claim."""

    def work() -> dict[str, Any]:
        provider = confirming.accept(db, _mine(db, me, x).id, account_id=me.account_id)
        return {"practice": provider.id, "name": provider.name, "took_on": body.duties}

    return once.answer(db, me, work)


def _proven(db: Db, me: Claimant, once: TheOnce, x: str, prove: Callable[[str], object]) -> Response:
    def work() -> dict[str, Any]:
        found = _mine(db, me, x)
        prove(found.id)
        db.refresh(found)
        return {"claim": _shown(found)}

    return once.answer(db, me, work)


def _mine(db: Db, me: Claimant, x: str) -> FirstManagerClaim:
    found = db.get(FirstManagerClaim, x[:64])
    if found is None or found.account_id != me.account_id:
        raise NotFound
    return found


def _shown(claim: FirstManagerClaim) -> dict[str, Any]:
    return told(claim) | {"tries_left": max(0, first_manager.MOST_WRONG - claim.tries)}
