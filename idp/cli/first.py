"""The first administrator: a one-time link, printed once."""

from sqlmodel import select

from idp.accounts.tables import Account
from idp.audit import log, origin
from idp.audit.events import Event
from idp.configuration import current
from idp.database import Database, transaction
from idp.entitlements.tables import Appointment
from idp.errors import Conflict
from idp.registration import invitations


def bootstrap(database: Database, *, name: str, email: str) -> str:
    """Make the link; refused once somebody manages access here, for then they invite people."""
    with origin.acting_as("operator"), transaction(database) as db:
        if db.exec(select(Appointment.id).limit(1)).first() and db.exec(select(Account.id).limit(1)).first():
            raise Conflict("People manage access here already; they invite further people. Nothing was made.")
        invitation, secret = invitations.invite(db, invited_by="operator", display_name=name, email=email)
        log.record(db, Event("service.bootstrap.made", details={"invitation": invitation.id}))
        hours = int(current(db).clocks.invitation.total_seconds() // 3600)
    link = f"{database.settings.issuer}/invitations/{secret}"
    return f"{link}\nGood once, for {hours} hours. Give it to {name} and to nobody else; it is not shown again."
