"""The machines' lane: token, pushed requests, introspection, revocation, userinfo, keys, discovery.

Bodies are parsed once by hand, answers are serialised once; every answer that changes or tells
something waits for the commit of its record.
"""

from starlette.routing import BaseRoute, Route

from idp.web.boundary import Service
from idp.web.machines import documents, introspection, par, revocation, status_lists, token, userinfo


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of this part of the lane."""
    return [
        *documents.routes(service),
        *status_lists.routes(),
        Route("/oauth/par", par.endpoint, methods=["POST"]),
        Route("/oauth/token", token.endpoint, methods=["POST"]),
        Route("/oauth/introspect", introspection.endpoint, methods=["POST"]),
        Route("/oauth/revoke", revocation.endpoint, methods=["POST"]),
        Route("/oauth/userinfo", userinfo.endpoint, methods=["GET", "POST"]),
    ]
