"""Tell a person's mistakes in a sentence; anything else is a bug and keeps its traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

REFUSED, NOT_CONFIGURED = 1, 3


@contextmanager
def told() -> Iterator[None]:
    """Turn what a person can mend into a sentence and an exit status."""
    from sqlalchemy.exc import OperationalError, ProgrammingError

    from idp.apply.source import FileWrong
    from idp.errors import Refused
    from idp.settings import NotConfigured

    try:
        yield
    except NotConfigured as problem:
        _say(str(problem), "Settings are read from the environment; docs/operators.md lists them.")
        sys.exit(NOT_CONFIGURED)
    except FileWrong as problem:
        _say(str(problem), "Nothing was changed.")
        sys.exit(REFUSED)
    except Refused as refusal:
        fields = getattr(refusal, "fields", {})
        _say("\n".join(f"{name}: {sentence}" for name, sentence in fields.items()) or refusal.detail)
        sys.exit(REFUSED)
    except (OperationalError, ProgrammingError) as problem:
        first = str(problem.orig).strip().splitlines()[0] if problem.orig else type(problem).__name__
        _say(f"The database could not do it: {first}", "`idp doctor` says whether it can be reached and is migrated.")
        sys.exit(REFUSED)
    except KeyboardInterrupt:
        sys.exit(130)


def _say(sentence: str, hint: str = "") -> None:
    for line in sentence.splitlines():
        sys.stderr.write(f"idp: {line}\n")
    if hint:
        sys.stderr.write(f"idp: {hint}\n")
