"""One person at one practice, an application, and a browser that can hold their session."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from fastapi import FastAPI
from starlette.testclient import TestClient

from idp import clock
from idp.accounts import attestations, sessions, terms
from idp.accounts.assurance import AAL2
from idp.accounts.tables import Account, Contact, Login, Session
from idp.audit import origin
from idp.database import Database, transaction
from idp.oauth import clients
from idp.oauth.memory import Memory
from idp.providers import affiliations
from idp.providers.tables import Provider
from idp.web.boundary import Service
from tests.engines import ISSUER, Filling

VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
CALLBACK = "https://claims.example/callback"
AFTER = "https://claims.example/signed-out"
SECRET = "a-supplied-secret-of-at-least-32-characters"


def answer_of(response: Any) -> dict[str, str]:
    """Return the parameters a redirect carries to the app."""
    assert response.status_code == 303, (response.status_code, response.text)
    return dict(parse_qsl(urlsplit(response.headers["location"]).query))


def signs_in_at(response: Any) -> str:
    """Return the address of the sign-in page that authorize has shown itself, at the beginning of a journey."""
    assert response.status_code == 200, (response.status_code, response.text)
    assert "<h1>Sign in</h1>" in response.text
    return "/sign-in?flow=" + response.text.split('name="flow" value="')[1].split('"')[0]


def claims_of(token: str) -> dict[str, Any]:
    """Read a token's claims without proof, as a test may."""
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of what the world begins with."""

    ana: str
    login: str
    clinic: str
    imaging: str


def fill(database: Database) -> Ids:
    """Fill a fresh database: one person at one practice, two applications."""
    with transaction(database) as db, origin.acting_as("operator"):
        account = Account(display_name="Ana Ruiz", given_name="Ana", family_name="Ruiz", ial=2)
        db.add(account)
        db.flush()
        db.add(Contact(account_id=account.id, email="ana@lakeside.example", verified_at=clock.now()))
        login = Login(account_id=account.id, issuer=ISSUER, subject="ana")
        db.add(login)
        clinic = Provider(name="Lakeside Clinic", tin_last4="6789")
        imaging = Provider(name="Harbor Imaging", tin_last4="0412")
        db.add_all([clinic, imaging])
        db.flush()
        affiliations.approve(db, account_id=account.id, provider_id=clinic.id, by="operator")
        ids = Ids(account.id, login.id, clinic.id, imaging.id)
        attestations.attest(db, account.id, capacity="authorised_agent", principal="Lakeside Clinic")
        documents = [
            terms.publish(db, kind="site", version="2.0", title="Site terms", body="Be good."),
            terms.publish(db, kind="general", version="4.1", title="General terms", body="Be fair."),
        ]
        terms.accept(db, account.id, [d.id for d in documents])
        clients.register(
            db,
            client_id="claims",
            name="Claims",
            secret=SECRET,
            redirect_uris=[CALLBACK],
            post_logout_redirect_uris=[AFTER],
            grant_types=["authorization_code", "refresh_token"],
            scopes=["openid", "profile", "email", "offline_access"],
        )
        clients.register(
            db,
            client_id="service",
            name="Service",
            secret=SECRET,
            grant_types=["client_credentials"],
            scopes=["access:evaluate", "access:search"],
        )
    return ids


FILLING = Filling("oauth", fill)


class World:
    """The application, its database and one browser."""

    def __init__(self, app: FastAPI, http: TestClient, ids: Ids) -> None:
        self.app, self.http = app, http
        self.service: Service = app.state.service
        self.database: Database = self.service.database
        self.ana, self.login, self.clinic, self.imaging = ids.ana, ids.login, ids.clinic, ids.imaging

    def client(self, client_id: str, **fields: Any) -> None:
        """Register one more client; it has SECRET unless it uses none."""
        base: dict[str, Any] = {
            "name": client_id,
            "redirect_uris": [CALLBACK],
            "grant_types": ["authorization_code", "refresh_token"],
            "scopes": ["openid", "profile", "email", "offline_access"],
        }
        wanted = {**base, **fields}
        needs = wanted.get("auth_method", "client_secret_basic").startswith("client_secret")
        with transaction(self.database) as db:
            clients.register(db, client_id=client_id, secret=SECRET if needs else None, **wanted)

    def run(self, statement: str, **values: Any) -> list[Any]:
        """Run a statement in the pages' lane."""
        from sqlalchemy import text

        with transaction(self.database) as db:
            result = db.execute(text(statement), values)
            return list(result.all()) if result.returns_rows else []

    @property
    def events(self) -> list[str]:
        """Return the names of all events, in order."""
        return [row[0] for row in self.run("SELECT event FROM audit_record ORDER BY seq")]

    # ---- the browser

    def sign_in(self, *, acr: str = AAL2, auth_time: datetime | None = None, factor: bool = True) -> str:
        """Give this browser a session of Ana's; return its id."""
        with transaction(self.database) as db:
            opened = sessions.open_session(
                db,
                account_id=self.ana,
                login_id=self.login,
                acr=acr,
                amr=["pwd", "otp", "mfa"],
                auth_time=auth_time,
                factor_time=clock.now() if factor else None,
            )
            secret, session_id = opened.secret, opened.session.id
        name = f"{self.service.settings.cookie_prefix}session"
        self.http.cookies.set(name, secret, domain="localhost.local", path="/")
        return session_id

    def sign_out(self) -> None:
        """Forget the session cookie, not the session."""
        self.http.cookies.delete("idp_8000_session")

    def did(self, flow_location: str, step: str, *, session_id: str | None = None, **facts: Any) -> str:
        """Do what the page of a step does when it is completed; return where the browser goes on."""
        from idp.accounts import flows
        from idp.accounts.tables import Flow

        flow_id = dict(parse_qsl(urlsplit(flow_location).query))["flow"]
        with transaction(self.database) as db:
            flow = db.get(Flow, flow_id)
            assert flow is not None
            if session_id is not None:
                flow.session_id = session_id
            flows.complete(db, flow, step, **facts)
            return flows.resume(flow)

    def ask(self, **more: str | None) -> dict[str, str]:
        """Return the parameters of a good authorization request, changed; None leaves one out."""
        values: dict[str, str | None] = {
            "client_id": "claims",
            "response_type": "code",
            "redirect_uri": CALLBACK,
            "scope": "openid profile",
            "state": "st-1",
            "nonce": "n-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            **more,
        }
        return {name: value for name, value in values.items() if value is not None}

    def authorize(self, **more: str | None) -> Any:
        """Send the browser to the authorize endpoint."""
        return self.http.get("/oauth/authorize?" + urlencode(self.ask(**more)), headers={"accept": "text/html"})

    def code(self, **more: str | None) -> str:
        """Return a code, given that every step is met."""
        answer = answer_of(self.authorize(**more))
        assert "code" in answer, answer
        return answer["code"]

    # ---- the app

    def token(self, client_id: str = "claims", secret: str | None = SECRET, **form: str | None) -> Any:
        """Post to the token endpoint."""
        sent = {name: value for name, value in form.items() if value is not None}
        auth = (client_id, secret) if secret is not None else None
        return self.http.post("/oauth/token", data=sent, auth=auth)

    def exchange(self, code: str, **more: str | None) -> Any:
        """Spend a code."""
        values: dict[str, Any] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
            **more,
        }
        return self.token(**values)

    def tokens(self, **more: str | None) -> dict[str, Any]:
        """Return the tokens of a complete login."""
        response = self.exchange(self.code(**more))
        assert response.status_code == 200, response.text
        return dict(response.json())

    def refresh(self, token: str, **more: str | None) -> Any:
        """Spend a refresh token."""
        return self.token(grant_type="refresh_token", refresh_token=token, **more)

    def introspect(self, token: str, client_id: str = "claims") -> dict[str, Any]:
        """Ask about a token."""
        response = self.http.post("/oauth/introspect", data={"token": token}, auth=(client_id, SECRET))
        assert response.status_code == 200, response.text
        return dict(response.json())

    def userinfo(self, token: str) -> Any:
        """Read the person."""
        return self.http.get("/oauth/userinfo", headers={"authorization": f"Bearer {token}"})

    def picture(self) -> Any:
        """Return the present picture of clients and keys."""
        memory = Memory(self.database)
        with transaction(self.database) as db:
            return memory.in_transaction(db)

    def session(self, session_id: str) -> Session:
        """Return a stored session."""
        with transaction(self.database) as db:
            found = db.get(Session, session_id)
            assert found is not None
            return found


@contextmanager
def open_world(app: FastAPI, ids: Ids | None = None) -> Iterator[World]:
    """Run the application; without ids its database is filled first."""
    with TestClient(app, base_url=ISSUER, follow_redirects=False) as http:
        yield World(app, http, ids or fill(app.state.service.database))


MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
