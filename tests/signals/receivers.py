"""Two apps that want to be told, and people who used one of them: the world of the transmitter's tests."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from idp import clock
from idp.accounts.tables import TokenFamily
from idp.app import create_app
from idp.audit.checkpoint import make_key
from idp.database import Database, reading, transaction
from idp.oauth import access_tokens, clients
from idp.outbound import Outbound
from idp.settings import Settings
from idp.signals import revocations
from idp.signatures import keys_from_jwks, verify
from idp.transmitter import fanout
from idp.transmitter.delivery import Sender
from idp.transmitter.streams import POLL, PUSH
from idp.web.bearer import memory_of

ALL = ["session-revoked", "token-claims-change", "credential-change", "assurance-level-change", "account-disabled"]
HOOK = "https://claims.example/events"
LOGOUT = "https://claims.example/backchannel-logout"


@dataclass
class Receiver:
    """An app's own end: keeps what it is sent, and answers as told."""

    status: int = 202
    fails: bool = False
    got: list[httpx2.Request] = field(default_factory=list)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        if self.fails:
            raise httpx2.ReadTimeout("slow")
        request.read()
        self.got.append(request)
        return httpx2.Response(200 if request.url.path == "/backchannel-logout" else self.status)


@dataclass
class Telling:
    """The service, its two apps, and how a test asks as one of them."""

    browser: TestClient
    database: Database
    receiver: Receiver
    sender: Sender
    tokens: dict[str, str]

    def ask(self, method: str, path: str, body: Any = None, *, client: str = "claims", **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.tokens[client]}"}
        return self.browser.request(method, f"/signals/v1{path}", json=body, headers=headers, **more)

    def stream(self, *, client: str = "claims", push: bool = False, **more: Any) -> dict[str, Any]:
        delivery = {"method": PUSH, "endpoint_url": HOOK} if push else {"method": POLL}
        made = self.ask("POST", "/streams", {"delivery": delivery, **more}, client=client)
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    def poll(self, stream: dict[str, Any], *, client: str = "claims", **body: Any) -> dict[str, str]:
        answer = self.ask("POST", f"/poll/{stream['stream_id']}", {"returnImmediately": True, **body}, client=client)
        assert answer.status_code == 200, answer.text
        sets: dict[str, str] = answer.json()["sets"]
        return sets

    def announce(self, kind: str = "session_ended", *, account: str = "acc_ana", **more: Any) -> None:
        if kind == "session_ended":
            more.setdefault("session_id", f"ses_{account.removeprefix('acc_')}")
        with transaction(self.database) as db:
            revocations.announce(db, kind, reason="left", account_id=account, **more)
        while fanout.run(self.database):
            pass

    def send(self, receiver: str) -> int:
        """Send what waits for a receiver; return how many were delivered."""
        count = 0
        while self.sender.one(receiver):
            count += 1
        return count

    def opened(self, token: str, *, client: str = "claims", typ: str = "secevent+jwt") -> dict[str, Any]:
        """Prove a token as its receiver would."""
        return verify(
            token,
            keys_from_jwks(self.browser.get("/oauth/jwks").json()),
            algorithms=["ES256"],
            typ=typ,
            issuer=str(self.browser.base_url),
            audience=client,
            now=clock.now(),
            required=("iat", "jti"),
        )

    def events(self, name: str) -> list[Any]:
        with reading(self.database) as db:
            found = db.execute(
                text("SELECT reason, outcome FROM audit_record WHERE event = :n ORDER BY seq"), {"n": name}
            )
            return list(found)

    def rows(self, sql: str, **values: Any) -> list[Any]:
        with reading(self.database) as db:
            return [tuple(row) for row in db.execute(text(sql), values)]


@pytest.fixture
def telling(settings: Settings) -> Iterator[Telling]:
    make_key(settings.audit_key_file)
    receiver = Receiver()
    with TestClient(create_app(settings), base_url=settings.issuer) as browser:
        service = browser.app.state.service  # type: ignore[attr-defined]
        with transaction(service.database) as db:
            for name in ("claims", "other", "plain"):
                clients.register(
                    db,
                    client_id=name,
                    grant_types=["client_credentials"],
                    scopes=["signals:read"],
                    signals=[] if name == "plain" else ALL if name == "claims" else ["session-revoked"],
                    backchannel_logout_uri=LOGOUT if name == "claims" else None,
                )
            for n, (client, who) in enumerate((("claims", "ana"), ("claims", "wes"), ("other", "ben"))):
                family = TokenFamily(
                    id=f"fam_{n}", client_id=client, account_id=f"acc_{who}", session_id=f"ses_{who}", line="medical"
                )
                db.add(family)
        assert browser.portal is not None
        tokens = {name: browser.portal.call(_token(service, name)) for name in ("claims", "other", "plain")}
        outbound = Outbound(development=True, transport=httpx2.MockTransport(receiver.answer))
        sender = Sender(service.database, outbound)
        yield Telling(browser, service.database, receiver, sender, tokens)
        sender.stop()


def _token(service: Any, client: str) -> Callable[[], Any]:
    async def made() -> str:
        picture = await memory_of(service).recent(service.lane)
        issuer, now = service.settings.issuer, clock.now()
        token, _ = access_tokens.mint(
            picture,
            issuer,
            picture.clients[client],
            subject=client,
            audience=issuer,
            scope="signals:read",
            now=now,
            jti=access_tokens.new_jti(),
        )
        return str(token)

    return made


def later(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """Move the service's clock."""
    monkeypatch.setattr(clock, "now", lambda: moment)
