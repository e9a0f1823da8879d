"""The machines' lane: what apps are told. The feed of revocations, plain and signed; streams of security events.

`feed` and `signed` answer from one `watch` over the counter; `streams` and `polling` are the Shared Signals
transmitter's own API.
"""

from starlette.routing import BaseRoute

from idp.web.boundary import Service
from idp.web.signals import feed, polling, signed, streams


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of this part of the lane."""
    return [*feed.routes(service), *signed.routes(service), *streams.routes(service), *polling.routes(service)]
