"""Settings: names people read, clocks, channels, policy values."""

from typing import Any

from idp.apply import past
from idp.apply.difference import differing
from idp.apply.schema.policy import Settings
from idp.apply.work import Work
from idp.audit import log
from idp.audit.events import Event
from idp.configuration import SUBJECT, Configuration, ConfigurationRow, current
from idp.configuration import changed as forget
from idp.database.history import whole
from idp.signals import epochs


def apply(work: Work, wanted: Settings | None) -> None:
    """Lay what the file says over the settings in force."""
    if wanted is None:
        return
    if not wanted.passwords.throttle and not work.development:
        raise work.wrong(("settings", "passwords", "throttle"), "may be false in development only")
    before = describe(current(work.db))
    lines = [(line.starts, _said(line)) for line in wanted.history]
    said = past.laid_over({}, lines, work.at) | _said(wanted)
    changed = differing(said, before)
    if changed:
        row = work.db.get(ConfigurationRow, 1) or ConfigurationRow(id=1)
        row.body = _body(work, said)
        work.db.add(row)
        work.db.flush()
        forget(work.db)
        log.record(work.db, Event("service.settings.changed", details={"settings": sorted(changed)}))
        epochs.changed_policy(work.db)
    stated = [(at, whole([_body(work, past.laid_over({}, lines, at))])) for at, _ in lines]
    if lines and past.were(work.db, SUBJECT, "settings", stated):
        changed["history"] = ("without it", "stated")
    if changed:
        work.difference.change("settings", "", changed)


def _said(entry: Any) -> dict[str, Any]:
    """Return what is said as `section.name` -> value."""
    return _flat(entry.model_dump(exclude_unset=True, exclude={"history", "starts"}))


def _body(work: Work, said: dict[str, Any]) -> str:
    """Return the settings in force with those that are said laid over them, as they are stored."""
    tree: dict[str, Any] = {}
    for name, value in said.items():
        section, _, field = name.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[field] = value
    laid = _deep(current(work.db).model_dump(), tree)
    return Configuration.model_validate(laid).model_dump_json(exclude_defaults=True)


def describe(configuration: Configuration) -> dict[str, Any]:
    """Return the settings as `section.name` -> value."""
    return _flat(configuration.model_dump())


def _flat(tree: dict[str, Any], head: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{head}{name}.")
        else:
            found[head + name] = sorted(value) if isinstance(value, (set, frozenset)) else value
    return found


def _deep(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    return {
        **under,
        **{
            name: _deep(under[name], value) if isinstance(value, dict) and isinstance(under.get(name), dict) else value
            for name, value in over.items()
        },
    }
