"""Write what apply reads: the whole configuration, without one secret in it.

A secret is written as the name of the environment variable it is to come from, with a comment. Applying the file to
the same database changes nothing; applied to an empty one, with the variables set, it makes the same world
(outside development without what has ended: that is history, and the log's).
"""

from datetime import datetime, time
from typing import Any

import yaml

from idp import configuration
from idp.apply import export_people
from idp.apply.sections import (
    clients,
    communities,
    duties,
    functions,
    partners,
    providers_export,
    terms,
    upstreams,
    versions,
)
from idp.apply.work import References
from idp.audit import log, origin
from idp.audit.events import Event
from idp.database import Database, transaction

_HEAD = """\
# Written by `idp export`. Read by `idp apply`; docs/configuration.md explains every field.
# Secrets are not here: each `env:NAME` says which environment variable apply takes it from.
"""


class _Dumper(yaml.SafeDumper):
    """Block style, long texts readable, dates as apply reads them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


def _moment(dumper: yaml.SafeDumper, value: datetime) -> yaml.Node:
    text = value.date().isoformat() if value.time() == time() else value.isoformat().replace("+00:00", "Z")
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


_Dumper.add_representer(str, _text)
_Dumper.add_representer(datetime, _moment)


def export(database: Database) -> str:
    """Return the file's text. The export is recorded."""
    with origin.acting_as("operator"), transaction(database) as db:
        log.record(db, Event("service.settings.exported"))
        names = References(db)
        document = {
            "settings": configuration.current(db).model_dump(mode="json", exclude_defaults=True),
            "functions": functions.export(db),
            "jobs": versions.export_jobs(db),
            "duties": duties.export(db, names, development=database.settings.development),
            "terms": terms.export(db),
            "partners": partners.export(db, names.named("partners")),
            "clients": clients.export(db, names.named("partners")),
            "resource_servers": clients.export_servers(db),
            "upstreams": upstreams.export(db, names.named("upstreams"), names.named("partners")),
            "communities": communities.export(db, names.named("communities"), names.named("partners")),
            "providers": providers_export.export(db, names),
            **export_people.export(db, names, development=database.settings.development),
        }
    sections = {name: value for name, value in document.items() if value}
    body = yaml.dump(sections, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, default_flow_style=False)
    lines = [line + _comment(line) for line in body.splitlines()]
    return _HEAD + "\n".join(lines) + "\n"


def _comment(line: str) -> str:
    return "  # set this variable before applying to an empty database" if " env:IDP_" in line else ""
