"""The machines' lane: what apps are told. The feed of revocations, plain and signed; streams of security events.

`feed` and `signed` answer from one `watch` over the counter; `streams`, `subjects` and `polling` are the Shared
Signals transmitter's own API; `partners` receives what organizations tell us.
"""

from starlette.routing import BaseRoute

from idp.web.boundary import Service
from idp.web.signals import feed, signed


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of this part of the lane."""
    return [*feed.routes(service), *signed.routes(service)]
