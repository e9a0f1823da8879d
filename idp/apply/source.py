"""Read the applied file, YAML or TOML, and find the line of any field in it."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml

from idp.apply import odd

Place = tuple[str | int, ...]
"""Where a value stands: ("clients", 0, "auth_method")."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Leaves dates as text, so that the schema reads them and a wrong one is told with its line."""

    yaml_implicit_resolvers: ClassVar[Any] = {
        first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def shown(place: Place) -> str:
    """Write a place as people read it: `clients[0].auth_method`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return text.lstrip(".")


class FileWrong(Exception):
    """The file cannot be applied; `problems` has one line each, with file, line and field."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Source:
    """What a file holds, and where."""

    name: str
    data: dict[str, Any]
    line_of: Callable[[Place], int]
    folder: Path
    """Folder of the file; `file:NAME` is relative to it."""

    def problem(self, place: Place, sentence: str) -> str:
        """Return `bench.yaml:12: clients[0].auth_method: sentence`."""
        field = shown(place)
        return f"{self.name}:{self.line_of(place)}: {field + ': ' if field else ''}{sentence}"

    def wrong(self, place: Place, sentence: str) -> FileWrong:
        """Return the refusal of one value."""
        return FileWrong([self.problem(place, sentence)])


def read(path: Path) -> Source:
    """Read a file by its ending (.yaml, .yml, .toml); raise FileWrong naming the line of a mistake."""
    if path.suffix not in (".yaml", ".yml", ".toml"):
        raise FileWrong([f"{path}: the file's name must end in .yaml, .yml or .toml"])
    try:
        text = odd.text_of(path)
        data, line_of = (_toml if path.suffix == ".toml" else _yaml)(path.name, text)
    except OSError as problem:
        raise FileWrong([f"{path}: {problem.strerror}"]) from None
    except odd.Odd as problem:
        raise FileWrong([f"{path.name}{f':{problem.line}' if problem.line else ''}: {problem}"]) from None
    made = Source(path.name, data, line_of, path.parent)
    hidden = [made.problem(place, "holds a control character") for place in odd.texts(data)]
    if hidden:
        raise FileWrong(hidden)
    return made


def _yaml(name: str, text: str) -> tuple[dict[str, Any], Callable[[Place], int]]:
    try:
        odd.check_events(yaml.parse(text, Loader=_Loader))
        loader = _Loader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise FileWrong([f"{name}:{mark.line + 1 if mark else 1}: {problem.problem or problem.context}"]) from None
    except yaml.YAMLError as problem:
        raise FileWrong([f"{name}: {problem}"]) from None
    if node is None:
        return {}, lambda _place: 1
    if not isinstance(node, yaml.MappingNode):
        raise FileWrong([f"{name}:{node.start_mark.line + 1}: the file must hold sections, such as `clients:`"])
    try:
        _refuse_twice(node, name, set())
        data = loader.construct_document(node)
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 1
        raise FileWrong([f"{name}:{line}: {problem.problem}"]) from None
    except (ValueError, KeyError, OverflowError):
        raise odd.Odd("this value can't be read", _unreadable(node)) from None

    def line_of(place: Place) -> int:
        return _yaml_line(node, place)

    return data, line_of


def _unreadable(node: Any) -> int:
    """Return the line of the first value that is not what its tag says; of the file's node where it is none of them."""
    if isinstance(node, yaml.ScalarNode):
        try:
            _Loader("").construct_object(node)
        except (ValueError, KeyError, OverflowError):
            return int(node.start_mark.line) + 1
        return 0
    parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    return next((line for line in map(_unreadable, parts) if line), 0)


def _refuse_twice(node: Any, name: str, seen: set[int]) -> None:
    """Refuse a key written twice in one mapping; YAML would keep the last one without a word."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys = set()
        for key, value in node.value:
            text = getattr(key, "value", None)
            if isinstance(text, str) and text != "<<":
                if text in keys:
                    raise FileWrong([f"{name}:{key.start_mark.line + 1}: {text}: is written twice"])
                keys.add(text)
            _refuse_twice(value, name, seen)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_twice(item, name, seen)


def _yaml_line(node: Any, place: Place) -> int:
    line = 1
    for part in place:
        if isinstance(part, int) and isinstance(node, yaml.SequenceNode) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == part), None)
            if found is None:
                return line
            line = found[0].start_mark.line + 1
            node = found[1]
        else:
            return line
    return line


def _toml(name: str, text: str) -> tuple[dict[str, Any], Callable[[Place], int]]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        found = re.search(r"\(at line (\d+), column \d+\)|\(at end of document\)", str(problem))
        line = found.group(1) if found and found.group(1) else str(text.count("\n") + 1)
        raise FileWrong([f"{name}:{line}: {str(problem).split(' (at ')[0]}"]) from None
    except RecursionError:
        raise odd.Odd(odd.TOO_DEEP) from None
    except ValueError:  # a number of more digits than the language reads
        line = next((n for n, one in enumerate(text.split("\n"), 1) if re.search(r"\d{4300}", one)), None)
        raise odd.Odd("this value can't be read", line) from None
    lines = _toml_lines(text)

    def line_of(place: Place) -> int:
        for length in range(len(place), 0, -1):
            if place[:length] in lines:
                return lines[place[:length]]
        return 1

    return data, line_of


def _toml_lines(text: str) -> dict[Place, int]:
    """Map each table, array entry and key to its line; values inside inline tables count as their key's."""
    lines: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    here: Place = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]", line)
        key = re.match(r"\s*([A-Za-z0-9_.\"'-]+)\s*=", line)
        if header:
            here = ()
            names = [part.strip(" \"'") for part in header.group(2).split(".")]
            for index, part in enumerate(names):
                here = (*here, part)
                if index == len(names) - 1 and header.group(1) == "[[":
                    counts[here] = counts.get(here, -1) + 1
                if here in counts:
                    lines.setdefault(here, number)
                    here = (*here, counts[here])
            lines[here] = number
        elif key:
            lines.setdefault((*here, *(part.strip(" \"'") for part in key.group(1).split("."))), number)
    return lines
