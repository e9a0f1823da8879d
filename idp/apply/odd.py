"""What a file must not be before anybody reads it: too large, of another encoding, bottomless, or repeating itself.

Both parsers build what they read on the machine's stack: a file of brackets would end the process without a word.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

LARGEST = 64 * 1024 * 1024
"""Bytes of a file."""
LONGEST_LINE = 4 * 1024 * 1024
"""Characters of a line: certificates and metadata stand in one."""
DEEPEST = 50
MOST_REPEATED = 100_000
"""Values that come of repeating others (YAML's `*name`)."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
TOO_DEEP = f"is nested deeper than {DEEPEST}"


class Odd(ValueError):
    """The file can't be read; the sentence says why, `line` where."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence)
        self.line = line


def text_of(path: Path) -> str:
    """Return the text of a file, its line ends as line feeds; raise Odd, OSError."""
    if path.stat().st_size > LARGEST:
        raise Odd(f"is larger than {LARGEST // 1024 // 1024} MB")
    content = path.read_bytes()
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff") or content[:8].count(b"\x00") >= 2
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        if wide:
            raise Odd("is UTF-16 text: save it as UTF-8", 1) from None
        line = 1 + len(re.findall(rb"\r\n|\r|\n", content[: problem.start]))
        raise Odd("is not UTF-8 text", line) from None
    if wide:
        raise Odd("is UTF-16 text: save it as UTF-8", 1)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    found = _CONTROL.search(text)
    if found is not None:
        raise Odd("holds a control character", 1 + text.count("\n", 0, found.start()))
    for number, written in enumerate(text.split("\n"), 1):
        if len(written) > LONGEST_LINE:
            raise Odd(f"is longer than {LONGEST_LINE:,} characters", number)
    return text


def check_events(events: Iterable[Any]) -> None:
    """Raise Odd where a YAML file is bottomless, refers to itself, or grows by repeating; nothing is built for it."""
    open_: list[list[Any]] = []
    sizes: dict[str, int] = {}
    repeated = 0
    for event in events:
        line = event.start_mark.line + 1
        size = 1
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append([event.anchor, 1])
            if len(open_) > DEEPEST:
                raise Odd(TOO_DEEP, line)
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_.pop()
            if anchor:
                sizes[anchor] = size
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == anchor for anchor, _ in open_):
                raise Odd(f"{event.anchor} refers to itself", line)
            size = sizes.get(event.anchor or "", 1)
            repeated += size
            if repeated > MOST_REPEATED:
                raise Odd("repeats itself too often", line)
        elif not isinstance(event, yaml.ScalarEvent):
            continue
        if open_:
            open_[-1][1] += size


def texts(data: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the places of texts with a control character in them, written as an escape."""
    if isinstance(data, str):
        if _CONTROL.search(data):
            yield place
    elif isinstance(data, dict):
        for key, value in data.items():
            if isinstance(key, str) and _CONTROL.search(key):
                yield place
            yield from texts(value, (*place, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from texts(value, (*place, number))
