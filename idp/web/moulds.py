"""Pages that a thousand people see in a minute: rendered once, then filled in with what is each one's own.

Of a page of the plain sign-in only a few values differ from person to person: the journey, the form's proof, the
passkey question, the name that was typed. Whatever else it shows is part of its mould's key.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from markupsafe import escape

from idp import entropy
from idp.configuration import Configuration

_MOST = 64
_LETTERS = re.compile(r"[A-Za-z0-9_-]+")
_Mould = tuple[Configuration, list[str]]
_moulds: OrderedDict[Hashable, _Mould] = OrderedDict()
_secret = ""


def filled(
    render: Callable[[Mapping[str, Any]], str],
    template: str,
    settings: Configuration,
    facts: Mapping[str, Any],
    *,
    own: Mapping[str, str],
    typed: Mapping[str, str],
) -> str:
    """Return what `render` makes of the facts.

    `own` are values made by us of letters that HTML and addresses leave alone; they may stand inside of facts.
    `typed` are whole facts that the template shows as text, or as an attribute, and nowhere else.
    """
    if not all(_LETTERS.fullmatch(value) for value in own.values()):
        return render({**facts, **typed})
    marks = {value: _mark(name) for name, value in own.items()}
    shape = {name: _marked(value, marks) for name, value in facts.items()}
    key = (template, id(settings), tuple(typed), *((name, _key(value)) for name, value in shape.items()))
    mould = _moulds.get(key)
    if mould is None:
        text = render({**shape, **{name: _mark(name) for name in typed}})
        # The settings are kept with it, so that no others can come to have their id.
        mould = (settings, re.split(f"{_secret}-([a-z_]+)-", text))
        _moulds[key] = mould
        while len(_moulds) > _MOST:
            _moulds.popitem(last=False)
    else:
        _moulds.move_to_end(key)
    values = {**own, **{name: str(escape(value)) for name, value in typed.items()}}
    parts = mould[1]
    return "".join(values[part] if place % 2 else part for place, part in enumerate(parts))


def _mark(name: str) -> str:
    """Return what stands in the place of a value; nobody outside knows it, so nothing typed is taken for one."""
    global _secret  # noqa: PLW0603 - made once, at the first page
    _secret = _secret or entropy.token()
    return f"{_secret}-{name}-"


def _marked(value: Any, marks: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for own, mark in marks.items():
            value = value.replace(own, mark)
        return value
    if isinstance(value, dict):
        return {name: _marked(one, marks) for name, one in value.items()}
    return value


def _key(value: Any) -> Hashable:
    if isinstance(value, dict):
        return tuple((name, _key(one)) for name, one in value.items())
    if isinstance(value, Hashable):
        return value
    raise TypeError(f"a page from a mould shows no {type(value).__name__}")
