"""Say what is misconfigured and how to mend it.

Each check is one function that yields findings; `wrong` is something that keeps the service from being right,
`doubtful` something a person should know. A check that fails itself is a finding, not a crash.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock, configuration
from idp.audit import checkpoint, rights
from idp.cli import doctor_saml, schema
from idp.database import Database, reading
from idp.entitlements import appointed
from idp.entitlements.tables import Appointment
from idp.envelope import CannotOpen
from idp.federation.tables import Upstream
from idp.oauth.keys import ALGORITHMS, place
from idp.oauth.tables import Client, SigningKey
from idp.outbound import Outbound, OutboundFailed
from idp.partners.standing import is_good
from idp.partners.tables import Partner
from idp.providers.tables import PortalAccess, Provider
from idp.settings import NotConfigured, Settings, load
from idp.web import built


@dataclass(frozen=True)
class Finding:
    """One thing, and how to mend it."""

    kind: Literal["wrong", "doubtful"]
    what: str
    mend: str

    def text(self) -> str:
        """Return the finding as two lines."""
        return f"{self.kind:8} {self.what}\n         {self.mend}"


Findings = Iterator[Finding]


def wrong(what: str, mend: str) -> Finding:
    """Something that keeps the service from being right."""
    return Finding("wrong", what, mend)


def doubtful(what: str, mend: str) -> Finding:
    """Something a person should know."""
    return Finding("doubtful", what, mend)


def examine() -> list[Finding]:
    """Run every check that can be run and return what they found."""
    try:
        settings = load()
        database = Database(settings)
    except NotConfigured as problem:
        return [
            wrong(line, "Set it in the environment; docs/operators.md lists every setting.")
            for line in str(problem).splitlines()
        ]
    try:
        found = [*_environment(settings), *_networks(settings), *_assets(), *_audit_key(settings)]
        try:
            said = schema.problem(database)
        except SQLAlchemyError as problem:
            cause = str(getattr(problem, "orig", problem)).strip().splitlines()[0]
            return [*found, wrong(f"The database does not answer: {cause}", "Check IDP_DATABASE_URL and the server.")]
        if said:
            return [*found, wrong(said.split(" Run: ")[0], "Run: idp migrate, or install the program that fits.")]
        with reading(database) as db:
            for check in CHECKS:
                found += check(db, database)
        return [*found, *_upstreams(database)]
    finally:
        database.dispose()


def _environment(settings: Settings) -> Findings:
    if settings.development:
        yield doubtful(
            "IDP_DEVELOPMENT=1 loosens cookies and addresses.", "Fine on a developer's machine; unset it elsewhere."
        )
    elif settings.smtp_url is None:
        yield wrong("No mail is sent: IDP_SMTP_URL is not set.", "People get no notices and no links. Set it.")
    if settings.audit_copy is None:
        yield doubtful(
            "IDP_AUDIT_COPY is not set: an older state of the whole log, put back, would not be noticed.",
            "Name a file on another machine's disk or on write-once storage.",
        )
    for name in ("IDP_MASTER_KEYS_FILE", "IDP_SMTP_URL_FILE", "IDP_DATABASE_URL_FILE"):
        path = os.environ.get(name)
        if path and Path(path).exists() and _others_may_read(Path(path)):
            yield wrong(f"{name}: others may read {path}.", f"Run: chmod 600 {path}")
    if settings.database_url.startswith("sqlite:///"):
        file = Path(settings.database_url.removeprefix("sqlite:///"))
        if file.exists() and _others_may_read(file):
            yield doubtful(f"Others may read the database file {file}.", f"Run: chmod 600 {file}")
        if not settings.development:
            yield doubtful(
                "The database is SQLite: one machine, one writer at a time.",
                "Fine for one host; PostgreSQL for several.",
            )


def _networks(settings: Settings) -> Findings:
    """Say whether the detector of shared logins knows where addresses are (docs/sharing.md)."""
    from idp.sharing.live import networks
    from idp.sharing.reading import Unreadable

    if settings.networks_file is None:
        yield doubtful(
            "IDP_NETWORKS_FILE is not set: shared and stolen logins are not looked for by place.",
            "Describe the ranges your people come from in a file (docs/sharing.md), or do without.",
        )
        return
    try:
        networks.load(settings.networks_file)
    except Unreadable as problem:
        yield wrong(f"IDP_NETWORKS_FILE: {problem}", "Mend the line; docs/sharing.md describes the format.")


def _assets() -> Findings:
    missing = built.missing()
    if missing:
        yield wrong(missing, built.REPAIR)


def _others_may_read(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _audit_key(settings: Settings) -> Findings:
    try:
        checkpoint.load_key(settings.audit_key_file)
    except NotConfigured as problem:
        yield wrong(
            str(problem),
            "Without it checkpoints cannot be signed. Put it back; for a new deployment run: idp keys make",
        )


def _keys(db: Db, database: Database) -> Findings:
    rows = db.exec(select(SigningKey).where(col(SigningKey.state).in_(["active", "next"]))).all()
    states = {(row.alg, row.state) for row in rows}
    for algorithm in ALGORITHMS:
        for state in ("active", "next"):
            if (algorithm, state) not in states:
                yield wrong(
                    f"There is no {state} {algorithm} signing key.", "Run: idp migrate (it makes missing keys)."
                )
    rotation = configuration.current(db).clocks.key_rotation
    for row in rows:
        try:
            database.ring.open("signing", place(row.kid), row.private)
        except CannotOpen:
            yield wrong(
                f"The signing key {row.kid} does not open: IDP_MASTER_KEYS is not the ring that sealed it.",
                "Put the former master key back into the ring, behind the new one.",
            )
        if row.state == "active" and row.activated_at and clock.now() > row.activated_at + rotation + timedelta(days=7):
            yield doubtful(f"The {row.alg} key {row.kid} is overdue for rotation.", "Run: idp keys rotate")


def _clients(db: Db, _database: Database) -> Findings:
    partners = {row.id: row for row in db.exec(select(Partner))}
    for client in db.exec(select(Client).where(col(Client.status) == "active").order_by(col(Client.client_id))):
        if client.pkce == "optional":
            yield doubtful(
                f"The client {client.client_id} may sign people in without PKCE.",
                "For certification runs only. Apply `pkce: required`.",
            )
        if client.auth_method == "none" and "refresh_token" in client.grant_types:
            yield doubtful(
                f"The public client {client.client_id} gets refresh tokens.",
                "Give it a secret or keys if it has a server.",
            )
        if any(uri.startswith("http://") for uri in client.redirect_uris):
            yield doubtful(f"The client {client.client_id} has a plain http address.", "Register https addresses.")
        partner = partners.get(client.partner_id or "")
        if client.partner_id and (partner is None or not is_good(partner.status)):
            yield doubtful(
                f"The client {client.client_id} is refused: its partner is not in good standing.",
                "Change the partner's status, or the client's.",
            )


def _managers(db: Db, _database: Database) -> Findings:
    now = clock.now()
    open_lines = db.exec(
        select(Provider.id, Provider.name, PortalAccess.line)
        .join(PortalAccess, col(PortalAccess.provider_id) == col(Provider.id))
        .where(col(Provider.status) == "active", col(Provider.kind) != "insurer")
        .where(col(PortalAccess.starts_at) <= now, col(PortalAccess.ended_at).is_(None))
        .order_by(col(Provider.name))
    ).all()
    managed = {(row.provider_id, row.line) for row in db.exec(select(Appointment).where(appointed.in_force()))}
    missing = sorted({f"{name} ({line})" for provider, name, line in open_lines if (provider, line) not in managed})
    if missing:
        shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
        yield doubtful(
            f"No access manager: {shown}. Nobody can give access there.",
            "Appoint one: `appointments` in the applied file.",
        )


def _database_clock(db: Db, database: Database) -> Findings:
    if database.is_sqlite:
        return
    theirs = db.execute(text("SELECT extract(epoch from clock_timestamp())")).scalar_one()
    apart = abs(clock.now().timestamp() - float(theirs))
    if apart > 5:
        yield wrong(
            f"This machine's clock and the database's are {apart:.0f} s apart.", "Let both follow one time source."
        )
    for name in ("synchronous_commit", "fsync"):
        if db.execute(text(f"SHOW {name}")).scalar_one() == "off":
            yield wrong(f"PostgreSQL has {name} off: what was acknowledged can be lost.", f"Set {name} = on.")


def _rights(db: Db, database: Database) -> Findings:
    """Say whether the role is the one docs/operators.md describes: it uses everything and changes no record."""
    if database.is_sqlite:
        return
    if lacking := rights.lacking(db):
        yield wrong(
            f"This role may not use {', '.join(lacking[:3])}{' and others' if len(lacking) > 3 else ''}.",
            "Run `idp audit rights ROLE` as the owner of the tables, after each `idp migrate`.",
        )
    if not database.settings.development and rights.open_to_change(db):
        yield doubtful(
            "This database role may change records of the log; the seal would show it, and nothing would prevent it.",
            "Let the service run as a role of its own: docs/operators.md, Two database roles.",
        )


def _throttle(db: Db, _database: Database) -> Findings:
    if not configuration.current(db).passwords.throttle:
        yield doubtful(
            "Password sign-ins are not throttled.", "For measurements only. Apply `passwords: {throttle: true}`."
        )


CHECKS = (_keys, _clients, _managers, _database_clock, _rights, _throttle)


def _upstreams(database: Database) -> Findings:
    """Fetch each upstream's metadata as a sign-in would."""
    with reading(database) as db:
        rows = db.exec(select(Upstream).where(col(Upstream.status) == "active").order_by(col(Upstream.issuer))).all()
    outbound = Outbound(development=database.settings.development)
    for row in rows:
        if row.kind == "saml":
            with reading(database) as db:
                for kind, what, mend in doctor_saml.look(db, row, outbound):
                    yield wrong(what, mend) if kind == "wrong" else doubtful(what, mend)
            continue
        try:
            answer = outbound.get(row.issuer.rstrip("/") + "/.well-known/openid-configuration")
        except OutboundFailed as problem:
            yield wrong(
                f"The login {row.display_name} cannot be reached: {problem}.",
                f"Ask the partner; the issuer is {row.issuer}.",
            )
            continue
        yield from _metadata(row, answer.status, answer.body)


def _metadata(row: Upstream, status: int, body: dict[str, object]) -> Findings:
    if status != 200:
        yield wrong(
            f"The login {row.display_name} answers {status} for its metadata.", f"Ask the partner of {row.issuer}."
        )
    elif body.get("issuer") != row.issuer:
        yield wrong(
            f"The login {row.display_name} names another issuer in its metadata.",
            "Apply the issuer it names, if it is theirs.",
        )
    else:
        offered = body.get("id_token_signing_alg_values_supported")
        if isinstance(offered, list) and not set(row.algorithms) & set(offered):
            yield wrong(
                f"The login {row.display_name} signs with {', '.join(map(str, offered))}; none is accepted here.",
                "Apply one of these in `algorithms`.",
            )
