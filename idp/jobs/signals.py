"""Tell apps what was taken away: write the deliveries of new revocations, then hand them to the threads that send."""

from typing import TYPE_CHECKING

from idp import clock
from idp.database import Database
from idp.database.glance import Glance
from idp.database.lane import Sql

if TYPE_CHECKING:
    from idp.transmitter.delivery import Sender

_DUE = Sql(
    "SELECT CASE WHEN (SELECT seq FROM revocation_counter) > (SELECT seq FROM signal_cursor) OR EXISTS ("
    "SELECT 1 FROM signal_delivery WHERE delivered_at IS NULL AND failed_at IS NULL AND method <> 'poll' "
    "AND next_try_at <= $1) THEN 1 ELSE 0 END"
)
"""Whether a revocation is to be told or a delivery to be sent; most of the time there is nothing."""


class Signals:
    """The sender of this worker, made when there is first something to send."""

    def __init__(self, database: Database, glance: Glance) -> None:
        self._database = database
        self._glance = glance
        self._sender: Sender | None = None

    def run(self, database: Database) -> bool:
        """Do one round; return whether more revocations wait."""
        if not self._glance.at(_DUE, clock.micros(clock.now())):
            return False
        from idp.transmitter import fanout
        from idp.transmitter.delivery import Sender

        more = fanout.run(database)
        if self._sender is None:
            self._sender = Sender(self._database)
        self._sender.send()
        return more

    def stop(self) -> None:
        """Let what is being sent be finished."""
        if self._sender is not None:
            self._sender.stop()
