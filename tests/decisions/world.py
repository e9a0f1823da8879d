"""Worlds of the truth table: rows written as they stand, so that any state can be described."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import yaml
from sqlmodel import SQLModel

from idp import tables
from idp.accounts.assurance import AAL1, AAL2, PHR
from idp.database import Database, transaction
from idp.entitlements import catalog
from idp.entitlements.question import AskingApp, Question

HOME = Path(__file__).parent
_ACR = {"aal1": AAL1, "aal2": AAL2, "phr": PHR}
_BYTES = {"token_hash"}


def _classes() -> dict[str, Any]:
    found: dict[str, Any] = {}
    waiting = list(SQLModel.__subclasses__())
    while waiting:
        made = waiting.pop()
        waiting.extend(made.__subclasses__())
        if getattr(made, "__table__", None) is not None:
            found[made.__table__.name] = made
    return found


def merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a world with changes: rows and fields are replaced, a null row is taken away."""
    made = {name: (dict(value) if isinstance(value, dict) else value) for name, value in base.items()}
    for name, value in change.items():
        if isinstance(value, dict) and isinstance(made.get(name), dict):
            made[name] = merged(made[name], value)
        else:
            made[name] = value
    return made


def _value(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    if name == "acr":
        return _ACR[value]
    if name in _BYTES:
        return str(value).encode()
    return value


def build(database: Database, world: Mapping[str, Any]) -> None:
    """Write a world's rows, parents first, after the default catalogue."""
    classes = _classes()
    unknown = set(world) - set(classes)
    assert not unknown, unknown
    with transaction(database) as db:
        catalog.load_default(db)
        for table in tables.METADATA.sorted_tables:
            key = "client_id" if table.name == "client" else "id"
            for ref, row in (world.get(table.name) or {}).items():
                if row is None:
                    continue
                values = {name: _value(name, value) for name, value in row.items()}
                made = classes[table.name](**{key: ref, **values})
                db.add(made)
            db.flush()


def question(ask: Mapping[str, Any]) -> Question:
    """Return the question a case asks."""
    values = dict(ask)
    app = dict(values.pop("app"))
    for name in ("lines",):
        if name in app:
            app[name] = tuple(app[name])
    if app.get("entitlements") is not None:
        app["entitlements"] = frozenset(app["entitlements"])
    if values.get("at") is not None:
        values["at"] = _value("at", values["at"])
    return Question(app=AskingApp(**app), **values)


def load(name: str) -> Any:
    """Return a file of the truth table."""
    return yaml.safe_load((HOME / name).read_text())
