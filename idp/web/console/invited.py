"""Invitations over the API: those nobody took up yet, one of them sent again, one taken back (W-3)."""

from typing import Any

from fastapi import Response

from idp.database import of
from idp.registration import invitations
from idp.registration.tables import Invitation
from idp.web.boundary import Transaction
from idp.web.console.bodies import Invitations, Invited, Mend
from idp.web.console.caller import Manages, Sees
from idp.web.console.once import KeyReused, TheOnce
from idp.web.console.routing import part
from idp.web.manager import inviting, views
from idp.web.manager.guard import lines_seen

router = part()


@router.get("/invitations")
def listed(db: Transaction, acting: Sees) -> Invitations:
    """List the invitations nobody took up: those whose link works, and those that expired in the last 14 days."""
    rows = invitations.unanswered(db, acting.provider.id, lines_seen(db, acting))
    return Invitations(invitations=[told(one) for one in rows])


@router.get("/invitations/{i}")
def one(db: Transaction, acting: Sees, i: str) -> Invited:
    """Show one invitation in whatever state; its link is in no answer but the one that made it."""
    return told(inviting.found(db, acting, i[:64]))


@router.post("/invitations/{i}/again", status_code=201)
def again(db: Transaction, acting: Manages, once: TheOnce, i: str) -> Response:
    """Send it again: a new invitation with a new link, which is in this answer alone; the old link ends at once."""

    def work() -> dict[str, Any]:
        made = inviting.again(db, acting, i[:64], once.form_id(acting))
        if made is None:
            raise KeyReused("This key sent an invitation more than a day ago. Use a new one for another.")
        link = f"{of(db).settings.issuer}/invitations/{made[1]}"
        return told(made[0]).model_dump() | {"link": link, "instead_of": i[:64]}

    return once.answer(db, acting, work, 201)


@router.post("/invitations/{i}/mending")
def mend(db: Transaction, acting: Manages, once: TheOnce, i: str, body: Mend) -> Response:
    """Mend the name; with another e-mail, as sending it again: the new link is in this answer alone (`link`)."""

    def work() -> dict[str, Any]:
        made = inviting.mend(db, acting, i[:64], once.form_id(acting), name=body.name, email=body.email)
        if made is None:
            return told(inviting.found(db, acting, i[:64])).model_dump() | {"link": None, "instead_of": None}
        link = f"{of(db).settings.issuer}/invitations/{made[1]}"
        return told(made[0]).model_dump() | {"link": link, "instead_of": i[:64]}

    return once.answer(db, acting, work)


@router.post("/invitations/{i}/withdrawal")
def withdraw(db: Transaction, acting: Manages, once: TheOnce, i: str) -> Response:
    """Take it back: its link leads nowhere from now on."""
    return once.answer(db, acting, lambda: told(inviting.withdraw(db, acting, i[:64])).model_dump())


def told(row: Invitation) -> Invited:
    """Return an invitation as the API gives it."""
    return Invited(
        invitation=row.id,
        name=row.display_name,
        email=views.masked(row.email),
        works_as=row.capacity,
        line=row.line,
        bundle=row.bundle,
        ends_at=row.access_ends_at,
        invited_by=row.invited_by,
        expires_at=row.expires_at,
        state=inviting.state(row),
        taken_up_by=row.spent_by,
    )
