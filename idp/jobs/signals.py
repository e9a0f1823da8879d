"""Tell apps what was taken away: write the deliveries of new revocations, then hand them to the threads that send."""

from typing import TYPE_CHECKING

from idp.database import Database

if TYPE_CHECKING:
    from idp.transmitter.delivery import Sender


class Signals:
    """The sender of this worker, made when there is first something to send."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sender: Sender | None = None

    def run(self, database: Database) -> bool:
        """Do one round; return whether more revocations wait."""
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
