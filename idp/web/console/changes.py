"""Changing and removing access over the API: preview, then do just that, answered by the receipt."""

from typing import Any

from fastapi import Response

from idp.wam import granting, removing
from idp.wam.difference import Line, Wish
from idp.wam.granting import Preview
from idp.web.boundary import Transaction
from idp.web.console.bodies import Change, ConfirmedChange, Removal
from idp.web.console.caller import Manages
from idp.web.console.once import TheOnce
from idp.web.console.people import receipt_of
from idp.web.console.routing import part

router = part()


@router.post("/people/{a}/preview")
def preview(db: Transaction, acting: Manages, a: str, body: Change) -> dict[str, Any]:
    """Show what a change would do; nothing is done."""
    wish, lacking = _wish(db, acting.provider.id, body)
    made = granting.preview(
        db,
        by=acting.visitor.account.id,
        provider_id=acting.provider.id,
        account_id=a,
        line=body.line,
        wish=wish,
        lacking=lacking,
    )
    return _told(made, wish)


@router.post("/people/{a}/changes")
def change(db: Transaction, acting: Manages, once: TheOnce, a: str, body: ConfirmedChange) -> Response:
    """Do what was previewed, once, all or nothing, if nobody changed the person meanwhile (409 otherwise)."""

    def work() -> dict[str, Any]:
        wish, _ = _wish(db, acting.provider.id, body)
        return receipt_of(
            granting.apply(
                db,
                by=acting.visitor.account.id,
                provider_id=acting.provider.id,
                account_id=a,
                line=body.line,
                wish=wish,
                seen=body.seen,
                reason=body.reason,
                form_id=once.form_id(acting),
            )
        )

    return once.answer(db, acting, work)


@router.post("/people/{a}/removals")
def remove(db: Transaction, acting: Manages, once: TheOnce, a: str, body: Removal) -> Response:
    """End one function, or everything in these lines, at once."""

    def work() -> dict[str, Any]:
        return receipt_of(
            removing.remove(
                db,
                by=acting.visitor.account.id,
                provider_id=acting.provider.id,
                account_id=a,
                function=body.function,
                lines=list(dict.fromkeys(body.lines)),
                reason=body.reason,
                note=body.note,
                left_at=body.left_at,
                form_id=once.form_id(acting),
            )
        )

    return once.answer(db, acting, work)


def _wish(db: Transaction, provider_id: str, body: Change) -> tuple[Wish, tuple[str, ...]]:
    return granting.wish(
        db,
        provider_id,
        body.line,
        functions=list(body.functions),
        bundle=body.bundle,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        dates_for_all=body.dates_for_all,
    )


def _told(made: Preview, wish: Wish) -> dict[str, Any]:
    def lines(some: tuple[Line, ...]) -> list[dict[str, Any]]:
        return [{"function": one.key, "was_until": one.grant.expires_at if one.grant else None} for one in some]

    found = made.difference
    return {
        "seen": made.seen,
        "count": found.count,
        "added": lines(found.added),
        "changed": lines(found.changed),
        "removed": lines(found.removed),
        "stay": lines(found.stay),
        "joined": lines(found.joined),
        "conflicts": [{"first": one.first, "second": one.second, "why": one.why} for one in found.conflicts],
        "excepted": [{"first": one.first, "second": one.second} for one in found.excepted],
        "need_two": [one.key for one in found.added + found.changed if granting.needs_two(one, wish)],
        "lacking": list(made.lacking),
    }
