"""POST /oauth/par (RFC 9126)."""

from starlette.requests import Request
from starlette.responses import Response

from idp.oauth.desk import Desk
from idp.oauth.pushed import push
from idp.web.boundary import service_of
from idp.web.guards import open_to_anyone
from idp.web.machines.conduct import conduct
from idp.web.machines.reading import form_of


@open_to_anyone("clients authenticate in the request itself")
async def endpoint(request: Request) -> Response:
    """Keep an authorization request an app sends ahead."""
    form = await form_of(request)
    return await conduct(service_of(request), request, form, _nothing, push)


async def _nothing(_desk: Desk, _form: dict[str, str]) -> None:
    """A pushed request rests on the picture alone."""
