"""Column types that mean the same on SQLite and PostgreSQL, and the base of every table."""

from datetime import datetime
from inspect import Signature
from typing import Any

import orjson
from sqlalchemy import BigInteger, Dialect, LargeBinary, String, Text, TypeDecorator
from sqlmodel import Field, SQLModel

from idp import clock

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Instant(TypeDecorator[datetime]):
    """A moment, stored as whole microseconds since 1970 UTC; refuses naive datetimes.

    One integer means the same to both databases, to the ORM and to the machines' lane (docs/decisions/0002).
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else clock.micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        return None if value is None else clock.from_micros(value)


class JsonText(TypeDecorator[Any]):
    """A JSON value kept as text with sorted keys, the same bytes on both databases."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)


def _now() -> datetime:
    return clock.now()


# For every new row pydantic asks each factory what it takes, by way of a slow inspection. This is the answer at hand:
# it halves the time that a row's defaults take.
_TAKES_NOTHING = Signature()
_now.__signature__ = _TAKES_NOTHING  # type: ignore[attr-defined]


def moment(*, default_now: bool = False, **column: Any) -> Any:
    """Declare a column that holds a moment; `default_now` takes it from our clock at insert."""
    if default_now:
        return Field(default_factory=_now, sa_type=Instant, **column)
    if column.get("nullable") and "default" not in column:
        column["default"] = None
    return Field(sa_type=Instant, **column)


def json_column(**column: Any) -> Any:
    """Declare a column that holds a JSON value."""
    return Field(sa_type=JsonText, **column)


def secret_column(**column: Any) -> Any:
    """Declare a column of bytes: a hash or a sealed value."""
    return Field(sa_type=LargeBinary, **column)


def id_column(prefix: str) -> Any:
    """Declare the primary key: a typed id made at insert."""
    from functools import partial

    from idp import entropy

    make = partial(entropy.new_id, prefix)
    make.__signature__ = _TAKES_NOTHING  # type: ignore[attr-defined]
    return Field(default_factory=make, sa_type=String(40), primary_key=True)


class Row(SQLModel):
    """What every table has."""

    # Rows are made by us and never validated: pydantic's validators for sixty tables would only lengthen every start.
    model_config = {"defer_build": True}

    created_at: datetime = moment(default_now=True)
