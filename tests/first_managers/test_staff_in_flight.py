"""Security 66: who loses a function while an act by it is under way does not finish the act after the loss."""

import threading

from sqlmodel import Session, select

from idp import clock
from idp.database import transaction
from idp.entitlements import grants
from idp.first_managers import facts
from idp.providers.tables import Provider
from idp.registration.tables import FirstManagerClaim
from tests.first_managers.world import Shore, filling, shore

__all__ = ["filling", "shore"]


def test_security_66_staff_whose_function_ends_meanwhile_confirm_nothing(shore: Shore) -> None:
    world, answers = shore.world, list[int]()
    with transaction(world.database) as db:
        facts.prove(db, shore.claim, account_id=world.nina, kind="claim", number="CL-2026-0001", amount="1250.00")
    una = shore.as_("una").get(shore.desk)

    def confirm() -> None:
        answers.append(una.submit("Confirm", identity="license by video").status)

    with transaction(world.database) as db:
        db.exec(select(FirstManagerClaim).where(FirstManagerClaim.id == shore.claim).with_for_update()).one()
        act = threading.Thread(target=confirm)
        act.start()
        act.join(1)  # past its guard, where the database lets two begin
        assert not answers
        insurer = db.exec(select(Provider.id).where(Provider.kind == "insurer")).one()
        if world.database.is_sqlite:
            _ends(shore, insurer, db)
        else:
            with transaction(world.database) as other:
                _ends(shore, insurer, other)
    act.join(20)
    assert shore.status() == "proven", answers
    assert answers[0] in (403, 404, 409)


def _ends(shore: Shore, insurer: str, db: Session) -> None:
    for row in grants.live(db, shore.world.una, insurer, clock.now()):
        grants.end(db, row, by="operator", reason="left")
