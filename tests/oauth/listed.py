"""An app whose tokens are in a status list, its people, and a reader of the list that shares no code with us."""

import base64
import zlib
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jose import jwt

from idp.accounts import attestations, people, terms
from idp.accounts.tables import Login
from idp.audit import origin
from idp.database import transaction
from idp.providers import affiliations
from tests.engines import ISSUER
from tests.oauth.world import CALLBACK, VERIFIER, World, claims_of


@dataclass
class Person:
    """Somebody who signed in to the app, and what the app got for it."""

    account: str
    session: str
    access: str
    refresh: str

    @property
    def family(self) -> str:
        return str(claims_of(self.access)["jti"]).partition(".")[0]


class Reader:
    """Reads lists as the draft says, with a JOSE library that is not the service's."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.keys = world.http.get("/oauth/jwks").json()

    def fetch(self, uri: str, **headers: str) -> Any:
        """Ask for a list a second later than whoever asked last."""
        published = self.world.service.parts.get("status_lists")
        for copy in published._copies.values() if published is not None else ():
            copy.asked -= 2
        later(self.world, 2)
        return self.world.http.get(urlsplit(uri).path, headers=headers)

    def read(self, uri: str) -> tuple[dict[str, Any], bytes]:
        """Return the claims and the bits of a list."""
        answer = self.fetch(uri, accept="application/statuslist+jwt")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/statuslist+jwt"
        assert jwt.get_unverified_header(answer.text)["typ"] == "statuslist+jwt"
        claims = jwt.decode(answer.text, self.keys, algorithms=["ES256"], subject=uri)
        packed = claims["status_list"]["lst"]
        return claims, zlib.decompress(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))

    def revoked(self, token: str) -> bool:
        """Say what the list of a token says of it (8.3 of the draft)."""
        said = claims_of(token)["status"]["status_list"]
        _, bits = self.read(said["uri"])
        byte, bit = divmod(said["idx"], 8)
        return bool(bits[byte] >> bit & 1)


def later(world: World, seconds: float) -> None:
    """Let the worker believe that it looked so long ago."""
    published = world.service.parts.get("status_lists")
    if published is None:
        return
    looks = published._marking
    looks._seen = deque((at - seconds, number) for at, number in looks._seen)
    if looks._looked is not None:
        looks._looked = (looks._looked[0], looks._looked[1] - seconds)


def join(world: World, name: str) -> str:
    """Let somebody work at the practice; return the account."""
    with transaction(world.database) as db, origin.acting_as("operator"):
        account = people.create(db, display_name=name, status="active")
        account.ial = 2
        login = Login(account_id=account.id, issuer=ISSUER, subject=name)
        db.add(login)
        db.flush()
        affiliations.approve(db, account_id=account.id, provider_id=world.clinic, by="operator")
        attestations.attest(db, account.id, capacity="authorised_agent", principal="Lakeside Clinic")
        terms.accept(db, account.id, [one.id for one in terms.current(db)])
        world.ana, world.login = account.id, login.id
        return account.id


def signed_in(world: World, name: str, client_id: str = "listed") -> Person:
    """Let somebody new sign in to the app, for the practice."""
    account = join(world, name)
    session = world.sign_in()
    return Person(account, session, *app_tokens(world, client_id))


def app_tokens(world: World, client_id: str = "listed", provider: str | None = None) -> tuple[str, str]:
    """Let the person at the browser into the app; return the access and the refresh token."""
    code = world.code(client_id=client_id, acting_for=provider or world.clinic)
    answer = world.token(
        client_id, grant_type="authorization_code", code=code, redirect_uri=CALLBACK, code_verifier=VERIFIER
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"], answer.json()["refresh_token"]


def service_token(world: World, client_id: str) -> str:
    """Return a token an app has for itself."""
    answer = world.token(client_id, grant_type="client_credentials")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def active(world: World, token: str, client_id: str = "listed") -> bool:
    """Ask introspection about a token."""
    return bool(world.introspect(token, client_id)["active"])
