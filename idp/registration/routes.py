"""The four ways to register, and where each is open (T-20 to T-24)."""

from sqlmodel import Session as Db

from idp import configuration
from idp.errors import Refused
from idp.partners.tables import Partner

ROUTES: dict[str, tuple[str, str]] = {
    "new": ("With a new user name and password", "You make both in a moment."),
    "existing": ("With the login I already have here", "Sign in with it, then add your practices."),
    "affiliate": ("With my login at an affiliated company", "You sign in there, and come back."),
    "third_party": ("With my login at a billing company or another partner", "You sign in there, and come back."),
}
"""Route -> what the page calls it, and what it means."""


class RouteClosed(Refused):
    """This way of registering is not open for this app, practice or organization."""

    status = 403
    code = "route_closed"
    title = "You can't register this way here"


def open_for(db: Db, *places: str | None) -> list[str]:
    """Return the routes that are open at every one of these ids (app, practice, partner, upstream)."""
    rules = configuration.current(db).registration
    shut = {route for place in places if place for route in rules.closed.get(place, ())}
    return [route for route in ROUTES if route in rules.routes and route not in shut]


def require(db: Db, route: str, *places: str | None) -> None:
    """Raise RouteClosed unless a route is open at every one of these ids."""
    if route not in open_for(db, *places):
        insurer = configuration.current(db).insurer
        raise RouteClosed(
            "Choose another way, or ask an access manager of your practice to invite you. "
            f"For help, call {insurer.help_phone}."
        )


def of_partner(db: Db, partner_id: str) -> str:
    """Return which route a partner's login belongs to, by what the partner is."""
    partner = db.get(Partner, partner_id)
    return "affiliate" if partner is not None and partner.kind == "affiliate" else "third_party"
