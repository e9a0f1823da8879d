"""Several workers on one database, and what is taken away from Ana while they remember her."""

from idp.audit import log
from idp.database import Database, transaction
from idp.database.lane import Lane, open_lane
from idp.entitlements import grants
from idp.entitlements.asking import Decider
from idp.entitlements.decision import Decision, Question
from idp.entitlements.question import AskingApp
from idp.entitlements.tables import Grant
from idp.signals import epochs

ASK = Question("acc_ana", "message.send", "prv_lake", AskingApp("claims"), sid="ses_ana")


class Workers:
    """Several workers on one database, each with its own lane and memory."""

    def __init__(self, database: Database, count: int = 2) -> None:
        self._database = database
        self._count = count

    async def __aenter__(self) -> list[Decider]:
        self._lanes: list[Lane] = [await open_lane(self._database, log.append) for _ in range(self._count)]
        return [Decider(self._database, lane) for lane in self._lanes]

    async def __aexit__(self, *_problem: object) -> None:
        for lane in self._lanes:
            await lane.close()


async def one(decider: Decider, question: Question = ASK) -> Decision:
    """Ask one question, recorded."""
    [decision] = await decider.answer([question])
    return decision


def within(database: Database, work: object) -> None:
    """Do something in a transaction of its own."""
    with transaction(database) as db:
        assert work(db)  # type: ignore[operator]


def revoke(database: Database) -> None:
    """End Ana's grant."""
    with transaction(database) as db:
        row = db.get(Grant, "grt_msg")
        assert row is not None
        assert grants.end(db, row, by="operator", reason="left")


def touch(database: Database) -> None:
    """Raise Ana's version without changing what she may do."""
    with transaction(database) as db:
        epochs.changed_account(db, "acc_ana")
