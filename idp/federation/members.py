"""Is an organization that was found through a trust community still vouched for? Asked again every few hours.

What its community took back closes its login at once, with what that login opened: the same proof is asked for as on
the day it was found (security.md 38). Who cannot be reached today is asked again; nobody signs in there meanwhile.
"""

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.audit import log
from idp.audit.events import Event
from idp.database import Database, reading, transaction
from idp.federation import communities, upstreams
from idp.federation.certificates import Untrusted
from idp.federation.revoked import Lists
from idp.federation.tables import Upstream
from idp.federation.udap import discover
from idp.outbound import Outbound, OutboundFailed

NOT_LEARNED = frozenset({"metadata", "revocation_unknown", "revocation_outdated"})
"""Reasons that say nothing about the member: its page or the list of its issuer was not to be had."""


def look_again(database: Database, outbound: Outbound) -> list[str]:
    """Ask about every member in use; close those nobody vouches for any more, and return their ids.

    No transaction is open while anybody is asked. A community that is itself out of use closes its members already.
    """
    with reading(database) as db:
        usable = {one.id: one for one in communities.usable(db)}
        members = [(one.id, one.issuer, usable[one.community_id]) for one in _members(db) if one.community_id in usable]
        leeway = configuration.current(db).clocks.leeway
    lists = Lists()
    closed = []
    for upstream_id, issuer, community in members:
        try:
            discover(outbound, issuer, community, lists, now=clock.now(), leeway=leeway)
        except OutboundFailed:
            continue
        except Untrusted as problem:
            if problem.reason not in NOT_LEARNED and _close(database, upstream_id, problem.reason):
                closed.append(upstream_id)
    return closed


def _members(db: Db) -> list[Upstream]:
    found = select(Upstream).where(col(Upstream.community_id).is_not(None), col(Upstream.status) == "active")
    return list(db.exec(found.order_by(col(Upstream.id))).all())


def _close(database: Database, upstream_id: str, reason: str) -> bool:
    with transaction(database) as db:
        if not upstreams.change(db, upstream_id, status="disabled"):
            return False  # somebody was first
        details = {"upstream": upstream_id}
        log.record(db, Event("federation.community.withdrawn", outcome="refused", reason=reason, details=details))
    return True
