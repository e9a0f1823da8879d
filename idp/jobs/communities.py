"""Members of trust communities are looked at again (security.md 38)."""

from idp.database import Database
from idp.federation import members
from idp.outbound import Outbound


def run(database: Database) -> bool:
    """Ask about every member once; nothing is left for later."""
    members.look_again(database, Outbound(development=database.settings.development))
    return False
