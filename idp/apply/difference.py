"""What applying a file changes, in words a person can check before it happens."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

SIGNS = {"added": "+", "changed": "~", "ended": "-", "kept": "!"}
Kind = Literal["added", "changed", "ended", "kept"]


@dataclass(frozen=True)
class Change:
    """One entry that differs from the database; `fields` holds name, before and after, already fit to be shown."""

    kind: Kind
    section: str
    key: str
    fields: tuple[tuple[str, str, str], ...] = ()
    because: str = ""

    def lines(self) -> list[str]:
        """Return the change as lines of text."""
        head = f"{SIGNS[self.kind]} {self.section} {self.key}" + (f": {self.because}" if self.because else "")
        return [head, *(f"    {name}: {before} -> {after}" for name, before, after in self.fields)]


@dataclass
class Difference:
    """All changes of one apply, in the order they were made."""

    changes: list[Change] = field(default_factory=list)

    def add(self, kind: Kind, section: str, key: str, *, because: str = "") -> None:
        """Note an entry that was added, ended, or kept as it is for a reason."""
        self.changes.append(Change(kind, section, key, because=because))

    def change(self, section: str, key: str, fields: dict[str, tuple[Any, Any]]) -> None:
        """Note changed fields: name -> (before, after)."""
        told = tuple((name, shown(before), shown(after)) for name, (before, after) in fields.items())
        self.changes.append(Change("changed", section, key, told))

    def __bool__(self) -> bool:
        return any(change.kind != "kept" for change in self.changes)

    def text(self) -> str:
        """Return the whole difference and a closing line that counts."""
        lines = [line for change in self.changes for line in change.lines()]
        counts = {kind: sum(change.kind == kind for change in self.changes) for kind in SIGNS}
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
        return "\n".join([*lines, told or "nothing differs"])


def shown(value: Any) -> str:
    """Write a value for a person; long ones are cut."""
    if value is None:
        return "nothing"
    if isinstance(value, datetime):
        return (
            value.strftime("%Y-%m-%dT%H:%M:%SZ") if value.time() != datetime.min.time() else value.strftime("%Y-%m-%d")
        )
    if isinstance(value, (list, tuple, set, frozenset)):
        return "[" + ", ".join(shown(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def differing(wanted: dict[str, Any], current: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return name -> (before, after) of the wanted fields that are not as wanted."""
    return {name: (current.get(name), value) for name, value in wanted.items() if current.get(name) != value}
