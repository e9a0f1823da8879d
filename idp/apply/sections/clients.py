"""Clients and the APIs they call."""

from typing import Any

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp.apply.difference import differing
from idp.apply.schema.apps import Client as Wanted
from idp.apply.schema.apps import ResourceServer as WantedServer
from idp.apply.schema.apps import read_keys
from idp.apply.source import Place
from idp.apply.work import Work
from idp.oauth import clients
from idp.oauth.client_facts import hash_of
from idp.oauth.tables import Client, ResourceServer

FIELDS = {
    "name": "name",
    "class": "client_class",
    "channel": "channel",
    "status": "status",
    "auth_method": "auth_method",
    "jwks": "jwks",
    "redirect_uris": "redirect_uris",
    "post_logout_redirect_uris": "post_logout_redirect_uris",
    "backchannel_logout_uri": "backchannel_logout_uri",
    "signals": "signals",
    "grants": "grant_types",
    "scopes": "scopes",
    "audiences": "audiences",
    "entitlements": "entitlements",
    "lines": "lines",
    "default_line": "default_line",
    "acts_for_provider": "acts_for_provider",
    "first_party": "first_party",
    "continue_page": "continue_page",
    "id_token_alg": "id_token_alg",
    "pkce": "pkce",
    "require_par": "require_par",
    "token_status_list": "token_status_list",
    "help_url": "help_url",
}
"""Field of the file -> column; `partner` and secrets are handled by themselves."""


def apply(work: Work, entries: list[Wanted]) -> None:
    """Register and change clients."""
    for index, entry in enumerate(entries):
        _one(work, entry, ("clients", index))


def _one(work: Work, entry: Wanted, place: Place) -> None:
    db = work.db
    present = db.get(Client, entry.client_id)
    said = entry.model_dump(by_alias=True, exclude_unset=present is not None)
    wanted = {column: said[name] for name, column in FIELDS.items() if name in said}
    if entry.jwks is not None:
        try:
            wanted["jwks"] = read_keys(entry.jwks, work.source.folder)
        except ValueError as problem:
            raise work.wrong((*place, "jwks"), str(problem)) from None
    if "partner" in said:
        wanted["partner_id"] = work.maybe_id("partners", entry.partner, (*place, "partner"))
    secrets = _secrets(work, entry, present, place)
    with work.entry(place):
        if present is None:
            clients.register(db, client_id=entry.client_id, secret=secrets[0] if secrets else None, **wanted)
            for secret in secrets[1:]:
                clients.add_secret(db, entry.client_id, secret)
            work.difference.add("added", "clients", entry.client_id)
            return
        changed = {_name(field): pair for field, pair in differing(wanted, describe_columns(present)).items()}
        if secrets and sorted(present.secret_hashes) != sorted(hash_of(secret) for secret in secrets):
            changed["secret"] = ("(one secret)", "(another secret)")
        if changed:
            clients.change(db, entry.client_id, secret=secrets[0] if secrets else None, **wanted)
            for secret in secrets[1:]:
                clients.add_secret(db, entry.client_id, secret)
            work.difference.change("clients", entry.client_id, changed)


def _secrets(work: Work, entry: Wanted, present: Client | None, place: Place) -> list[str]:
    """Return the secrets in force; one whose variable is not set is kept where there is one already."""
    found = []
    for name in ("secret", "next_secret"):
        secret = getattr(entry, name)
        if secret is None:
            continue
        try:
            found.append(secret.reveal(work.source.folder))
        except ValueError as problem:
            if present is None or not present.secret_hashes:
                raise work.wrong((*place, name), str(problem)) from None
            work.difference.add("kept", "clients", entry.client_id, because=f"its secret stays: {problem}")
            return []
    return found


def _name(column: str) -> str:
    return next((name for name, other in FIELDS.items() if other == column), "partner")


def describe_columns(row: Client) -> dict[str, Any]:
    """Return the columns the file may speak of."""
    return {column: getattr(row, column) for column in (*FIELDS.values(), "partner_id")}


def export(db: Db, partners: dict[str, str]) -> list[dict[str, Any]]:
    """Return every client as the file writes it, fields at their default left out."""
    found = []
    for row in db.exec(select(Client).order_by(col(Client.client_id))):
        entry: dict[str, Any] = {"client_id": row.client_id}
        for name, column in FIELDS.items():
            value = getattr(row, column)
            field = next(f for key, f in Wanted.model_fields.items() if (f.alias or key) == name)
            if field.is_required() or value != field.default:
                entry[name] = value
        if row.partner_id:
            entry["partner"] = partners.get(row.partner_id, row.partner_id)
        if row.secret_hashes:
            entry["secret"] = "env:" + variable("SECRET", row.client_id)
        if len(row.secret_hashes) > 1:
            entry["next_secret"] = "env:" + variable("NEXT_SECRET", row.client_id)
        found.append(entry)
    return found


def variable(kind: str, key: str) -> str:
    """Return the name of the environment variable an exported file expects a secret in."""
    return f"IDP_{kind}_" + "".join(c if c.isalnum() and c.isascii() else "_" for c in key).upper()


def apply_servers(work: Work, entries: list[WantedServer]) -> None:
    """Record and change resource servers."""
    for index, entry in enumerate(entries):
        present = work.db.get(ResourceServer, entry.identifier)
        before = _server(present) if present else {}
        said = entry.model_dump(exclude_unset=present is not None, exclude={"identifier"})
        changed = differing(said, before)
        if not changed:
            continue
        values = {**before, **said}
        with work.entry(("resource_servers", index)):
            client = values.pop("client", None)
            clients.set_resource_server(work.db, identifier=entry.identifier, client_id=client, **values)
        if present is None:
            work.difference.add("added", "resource_servers", entry.identifier)
        else:
            work.difference.change("resource_servers", entry.identifier, changed)


def _server(row: ResourceServer) -> dict[str, Any]:
    return {
        "name": row.name,
        "client": row.client_id,
        "access_token_alg": row.access_token_alg,
        "scopes": row.scopes,
    }


def export_servers(db: Db) -> list[dict[str, Any]]:
    """Return every resource server as the file writes it."""
    rows = db.exec(select(ResourceServer).order_by(col(ResourceServer.identifier)))
    return [{"identifier": row.identifier, **{k: v for k, v in _server(row).items() if v}} for row in rows]
