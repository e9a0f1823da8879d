"""The machines' lane: AuthZEN access evaluation."""

from starlette.routing import BaseRoute

from idp.web.boundary import Service


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of this part of the lane."""
    return []
