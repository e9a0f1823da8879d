"""Hold an event against the published schema of OCSF 1.3.0: what it requires, allows, and of which type."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SCHEMA: dict[str, Any] = json.loads((Path(__file__).parent / "ocsf-1.3.0.json").read_text(encoding="utf-8"))
_NUMBERED = ("class_uid", "category_uid", "type_uid")
"""Their numbers are those of the class itself, compared above."""
_WHOLE = {"integer_t", "long_t", "timestamp_t", "port_t"}


def faults(event: dict[str, Any]) -> list[str]:
    """Name everything in which the event is not one of its class."""
    kind = _SCHEMA["classes"].get(str(event.get("class_uid")))
    if kind is None:
        return [f"class_uid: {event.get('class_uid')}"]
    found = list(_faults(event, kind, frozenset(event.get("metadata", {}).get("profiles", [])), ""))
    if event["class_name"] != kind["caption"]:
        found.append(f"class_name: {event['class_name']}")
    if event["category_uid"] != kind["category"]:
        found.append(f"category_uid: {event['category_uid']}")
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        found.append(f"type_uid: {event['type_uid']}")
    return found


def _faults(said: dict[str, Any], kind: dict[str, Any], profiles: frozenset[str], at: str) -> Iterator[str]:
    known = {
        name: what
        for name, what in kind["attributes"].items()
        if what.get("profile") is None or what["profile"] in profiles
    }
    for name, what in known.items():
        if what["requirement"] == "required" and name not in said:
            yield f"{at}{name} is missing"
    for rule, names in kind.get("constraints", {}).items():
        present = [name for name in names if name in said]
        if not present or (rule == "just_one" and len(present) > 1):
            yield f"{at}{rule} of {names}"
    for name, value in said.items():
        if name not in known:
            yield f"{at}{name} is not an attribute of its class"
        else:
            yield from _typed(value, known[name], profiles, f"{at}{name}")


def _typed(value: Any, what: dict[str, Any], profiles: frozenset[str], at: str) -> Iterator[str]:
    if what.get("array"):
        if not isinstance(value, list):
            yield f"{at} is no list"
            return
        for n, one in enumerate(value):
            yield from _typed(one, {**what, "array": False}, profiles, f"{at}[{n}]")
        return
    if (name := what.get("object")) is not None:
        if not isinstance(value, dict):
            yield f"{at} is no object"
        elif name != "object":  # any object
            yield from _faults(value, _SCHEMA["objects"][name], profiles, f"{at}.")
        return
    if "enum" in what and not at.endswith(_NUMBERED) and str(value) not in what["enum"]:
        yield f"{at} may not be {value}"
    kind = _SCHEMA["types"][what["type"]]
    whole = {what["type"], kind.get("type")} & _WHOLE
    if what["type"] == "json_t":
        return
    if whole and (not isinstance(value, int) or isinstance(value, bool)):
        yield f"{at} is no whole number"
    elif what["type"] == "boolean_t" and not isinstance(value, bool):
        yield f"{at} is neither true nor false"
    elif not whole and what["type"] != "boolean_t":
        if not isinstance(value, str):
            yield f"{at} is no text"
        elif len(value) > kind.get("max_len", len(value)) or not re.search(kind.get("regex", ""), value):
            yield f"{at} is not of {what['type']}: {value[:40]}"
