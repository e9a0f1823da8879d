"""Discovery and keys: bytes made once, with an ETag; they answer while the database is away (security.md 89)."""

from dataclasses import dataclass
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from idp.oauth import discovery
from idp.web.bearer import memory_of
from idp.web.boundary import Service, service_of
from idp.web.guards import open_to_anyone


@dataclass(frozen=True, slots=True)
class Document:
    """One published document."""

    body: bytes
    headers: dict[str, str]

    def answer(self, request: Request) -> Response:
        """Send it, or 304 to who has it already."""
        known = request.headers.get("if-none-match")
        if known is not None and self.headers["ETag"] in {tag.strip().removeprefix("W/") for tag in known.split(",")}:
            return Response(status_code=304, headers=self.headers)
        return Response(self.body, 200, self.headers, "application/json")


def document(body: bytes, max_age: int) -> Document:
    """Prepare a document; any site may read it."""
    headers = {
        "ETag": f'"{sha256(body).hexdigest()[:32]}"',
        "Cache-Control": f"public, max-age={max_age}",
        "Access-Control-Allow-Origin": "*",
    }
    return Document(body, headers)


def routes(service: Service) -> list[BaseRoute]:
    """Return the routes of the published documents."""
    about = document(discovery.document(service.settings.issuer), 300)
    made: dict[int, Document] = {}

    @open_to_anyone("published for every app")
    async def metadata(request: Request) -> Response:
        return about.answer(request)

    @open_to_anyone("published for every app")
    async def keys(request: Request) -> Response:
        here = service_of(request)
        picture = await memory_of(here).recent(here.lane)
        published = made.get(picture.epoch)
        if published is None:
            made.clear()
            age = int(picture.configuration.clocks.jwks_max_age.total_seconds())
            published = made[picture.epoch] = document(discovery.jwks(picture), age)
        return published.answer(request)

    return [
        Route("/.well-known/openid-configuration", metadata, methods=["GET"]),
        Route("/.well-known/oauth-authorization-server", metadata, methods=["GET"]),
        Route("/oauth/jwks", keys, methods=["GET"]),
    ]
