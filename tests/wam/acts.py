"""What people of the small world do about access again and again, and how a decision answers.

What takes `db` is part of the caller's transaction; `change` and `remove` are one of their own, as on the pages.
"""

from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session as Db

from idp.database import transaction
from idp.entitlements import asking, grants
from idp.entitlements.question import OURSELVES, Question
from idp.providers import organisations
from idp.wam import appointments, dual_control, granting, leave, removing
from idp.wam.tables import HeldChange, Receipt
from tests.wam.world import LINE, World

END = datetime(2030, 1, 1, tzinfo=UTC)


def reason(db: Db, world: World, who: str, key: str = "eligibility.view") -> str | None:
    """Ask whether a person may do something for Lakeside, signed in to nothing; return the reason of the answer."""
    asked = Question(world.people[who], key, world.lakeside, OURSELVES, line=LINE)
    return asking.decide_in_session(db, asked).reason


def give(db: Db, world: World, who: str, key: str, by: str = "operator", **more: Any) -> str:
    """Give a person a function at Lakeside; return the grant's id."""
    return grants.grant(
        db,
        account_id=world.people[who],
        provider_id=world.lakeside,
        line=LINE,
        entitlement=key,
        by=by,
        reason="needs it",
        **more,
    ).id


def away(db: Db, world: World, who: str, until: datetime | None = None) -> None:
    """Wes records that a person of Lakeside is away from now on."""
    leave.begin(
        db,
        by=world.wes,
        provider_id=world.lakeside,
        account_id=world.people[who],
        lines=[LINE],
        starts_at=None,
        ends_at=until,
    )


def payments_asked(db: Db, world: World, who: str, until: datetime | None = None) -> HeldChange:
    """Wes asks that a person may change where Lakeside's payments go, which a second manager has to confirm."""
    return dual_control.hold(
        db,
        by=world.wes,
        provider_id=world.lakeside,
        account_id=world.people[who],
        line=LINE,
        entitlement="eft.manage",
        starts_at=None,
        ends_at=until,
        reason="runs payments",
    )


def open_dental(db: Db, world: World) -> None:
    """Lakeside has a second line of business, which Wes manages too."""
    organisations.open_portal(db, world.lakeside, "dental", by="operator")
    organisations.agree(db, world.lakeside, "dental")
    organisations.participate(db, world.lakeside, "dental")
    appointments.appoint(
        db, account_id=world.wes, provider_id=world.lakeside, line="dental", by="operator", verified_by="claim"
    )


def change(
    world: World, by: str, account: str, *, provider: str | None = None, form_id: str = "", **chosen: object
) -> Receipt:
    """Preview and confirm, as the pages do; return the receipt."""
    with transaction(world.database) as db:
        place = provider or world.lakeside
        line = str(chosen.pop("line", LINE))
        options: dict[str, Any] = {"functions": [], "bundle": None, "starts_at": None, "ends_at": END, **chosen}
        wish, _ = granting.wish(db, place, line, **options)
        who: dict[str, Any] = {"by": by, "provider_id": place, "account_id": account, "line": line}
        seen = granting.preview(db, wish=wish, **who).seen
        return granting.apply(
            db, wish=wish, seen=seen, reason="new biller", form_id=form_id or "form-" + "x" * 8, **who
        )


def remove(world: World, by: str, account: str, **chosen: object) -> Receipt:
    """Remove everything, or what is chosen, at Lakeside; return the receipt."""
    options: dict[str, Any] = {
        "function": None, "lines": [LINE], "reason": "left", "form_id": "form-" + "r" * 8, **chosen
    }  # fmt: skip
    with transaction(world.database) as db:
        return removing.remove(db, by=by, provider_id=world.lakeside, account_id=account, **options)
