"""The machines' lane: the feed of revocations."""

from starlette.routing import BaseRoute

from idp.web.boundary import Service


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of this part of the lane."""
    return []
