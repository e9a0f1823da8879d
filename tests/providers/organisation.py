"""How gate 6 and 10 see an organisation at a moment."""

from datetime import datetime

from idp import clock
from idp.database import Database, reading
from idp.database.lane import drive
from idp.entitlements import standing
from idp.entitlements.dates import Dates
from idp.entitlements.standing import Organisation


def organisation_at(database: Database, provider_id: str, at: datetime, line: str = "medical") -> Organisation:
    """Return what the gates look at."""
    with reading(database) as db:
        found = drive(db, standing.organisation(provider_id, line, Dates(clock.micros(at), replay=True)))
        assert isinstance(found, Organisation)
        return found
