"""Bring the two databases of the demo to its world; running it again changes nothing.

It does what an operator does: `idp migrate`, then `idp apply FILE`. Ana's invitation is made through the domain,
because its link exists only at the moment it is made.
"""

import base64
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from string import Template

import pyotp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlmodel import col, select

from idp import clock
from idp.accounts.tables import Login
from idp.audit import origin
from idp.database import Database, transaction
from idp.demo import history
from idp.demo.people import ANA, EVERYBODY
from idp.demo.places import ROOT, DemoRefused, Places, remembered
from idp.federation.tables import Upstream
from idp.registration import invitations
from idp.settings import load
from idp.wam import reviews

_WORLD = Path(__file__).parent / "world"
SERVICES = ("meridian", "evergreen")
ATTESTED = {"first": timedelta(days=560), "last": timedelta(days=200)}
"""How long before the demo began its people attested; each holds a year, so that last year has an answer, too."""
_CLIENT_SECRETS = ("claims.secret", "hsconnect.secret", "analysis.secret", "evergreen.secret", "cascade.secret")


def fill(places: Places, *, fresh: bool = False) -> str | None:
    """Fill both databases; return the link of Ana's invitation, None when she has joined already.

    `fresh` begins anew; so does a change of ports, since the issuer stands in every login.
    """
    if fresh or remembered(places.home) not in (None, places.ports):
        shutil.rmtree(places.home, ignore_errors=True)
    prepare(places)
    _run_both(places, ["migrate"])
    with _inside(places) as database:
        history.write(database)
    _run_both(places, ["apply"])
    link = invitation_of(places)
    case_of(places)
    places.remember()
    return link


def prepare(places: Places) -> None:
    """Make the secrets that are not there yet, and write both applied files beside them."""
    places.secrets.mkdir(parents=True, exist_ok=True)
    places.secrets.chmod(0o700)
    _make_secrets(places)
    _write_files(places)


def _make_secrets(places: Places) -> None:
    wanted: dict[str, str] = {name: secrets.token_urlsafe(32) for name in _CLIENT_SECRETS}
    wanted |= {f"{person.key}.totp": pyotp.random_base32() for person in EVERYBODY}
    wanted |= {f"{name}.keys": f"demo:{base64.b64encode(secrets.token_bytes(32)).decode()}" for name in SERVICES}
    wanted["begun"] = clock.now().replace(microsecond=0).isoformat()
    for name in SERVICES:
        key = Ed25519PrivateKey.generate()
        wanted[f"{name}.audit.pem"] = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    for name, value in wanted.items():
        path = places.secrets / name
        if not path.exists():
            _write_secret(path, value)


def _write_secret(path: Path, value: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(value)


def _write_files(places: Places) -> None:
    names = {"main": places.main, "affiliate": places.affiliate}
    names |= {"claims": places.claims, "hsconnect": places.hsconnect}
    names |= {f"{person.key}_password": person.password for person in EVERYBODY}
    begun = datetime.fromisoformat(places.secret("begun"))
    names |= {f"attested_{name}": (begun - ago).isoformat() for name, ago in ATTESTED.items()}
    for name in SERVICES:
        text = (_WORLD / f"{name}.yaml").read_text(encoding="utf-8")
        (places.secrets / f"{name}.yaml").write_text(Template(text).substitute(names), encoding="utf-8")


def _run_both(places: Places, command: list[str]) -> None:
    """Run one command for both services side by side; raise DemoRefused with what it said when it fails."""
    running = []
    for name in SERVICES:
        whole = [sys.executable, "-m", "idp", *command]
        if command == ["apply"]:
            whole.append(str(places.secrets / f"{name}.yaml"))
        started = subprocess.Popen(  # noqa: S603 - our own program
            whole,
            cwd=ROOT,
            env=places.environment(name),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append((name, started))
    for name, started in running:
        said, _ = started.communicate()
        if started.returncode != 0:
            raise DemoRefused(f"`idp {' '.join(command)}` failed for {name}:\n{said}")


def invitation_of(places: Places) -> str | None:
    """Invite Ana to Lakeside as Wes would, and return the link; None when her login is linked already.

    The first time, Wes gets a review to answer about Ben as well.

    Invitations of hers that nobody used are withdrawn.
    """
    with _inside(places) as database:
        with origin.acting_as("acc_wes"), transaction(database) as db:
            if not reviews.of_practice(db, "prv_lakeside", ["medicare_advantage"]):
                due = clock.now() + timedelta(days=30)
                reviews.open_review(db, "prv_lakeside", "medicare_advantage", ["acc_ben"], due_at=due)
            evergreen = db.exec(select(Upstream).where(col(Upstream.id) == "ups_evergreen")).one()
            linked = select(Login).where(col(Login.upstream_id) == evergreen.id, col(Login.ended_at).is_(None))
            if db.exec(linked).first() is not None:
                return None
            for old in invitations.open_at(db, "prv_lakeside"):
                if old.display_name == ANA.name:
                    invitations.withdraw(db, old.id, by="acc_wes")
            _, secret = invitations.invite(
                db,
                invited_by="acc_wes",
                display_name=ANA.name,
                email="ana@lakeside.example",
                provider_id="prv_lakeside",
            )
        return f"{database.settings.issuer}/invitations/{secret}"


def case_of(places: Places) -> None:
    """Give Ben a past in which the detector finds something, once: a world without history has nothing to find."""
    with _inside(places) as database, origin.acting_as("system"):
        history.find(database)


@contextmanager
def _inside(places: Places) -> Iterator[Database]:
    """Open the main service's database as an operator on its machine could."""
    environment = places.environment("meridian")
    settings = load(
        issuer=environment["IDP_ISSUER"],
        database_url=environment["IDP_DATABASE_URL"],
        master_keys=places.secret("meridian.keys"),
        audit_key_file=Path(environment["IDP_AUDIT_KEY_FILE"]),
        audit_copy=Path(environment["IDP_AUDIT_COPY"]),
        development=True,
    )
    database = Database(settings)
    try:
        yield database
    finally:
        database.dispose()
