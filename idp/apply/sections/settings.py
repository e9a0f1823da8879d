"""Settings: names people read, clocks, channels, policy values."""

from typing import Any

from idp.apply.difference import differing
from idp.apply.work import Work
from idp.audit import log
from idp.audit.events import Event
from idp.configuration import Configuration, ConfigurationRow, current
from idp.configuration import changed as forget
from idp.signals import epochs


def apply(work: Work, wanted: Configuration | None) -> None:
    """Lay what the file says over the settings in force."""
    if wanted is None:
        return
    if not wanted.passwords.throttle and not work.development:
        raise work.wrong(("settings", "passwords", "throttle"), "may be false in development only")
    before = describe(current(work.db))
    said = _flat(wanted.model_dump(exclude_unset=True))
    changed = differing(said, before)
    if not changed:
        return
    whole = _deep(current(work.db).model_dump(), wanted.model_dump(exclude_unset=True))
    body = Configuration.model_validate(whole).model_dump_json(exclude_defaults=True)
    row = work.db.get(ConfigurationRow, 1) or ConfigurationRow(id=1)
    row.body = body
    work.db.add(row)
    work.db.flush()
    forget(work.db)
    log.record(work.db, Event("service.settings.changed", details={"settings": sorted(changed)}))
    epochs.changed_policy(work.db)
    work.difference.change("settings", "", changed)


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
