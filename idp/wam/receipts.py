"""Receipts: the same form sent twice does its work once and gives the same answer."""

from collections.abc import Collection
from functools import partial
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Text, type_coerce
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from idp import entropy
from idp.audit import promises
from idp.errors import Invalid, NotFound
from idp.wam.tables import Receipt


def new_form_id() -> str:
    """Return the id a form carries from when it is shown."""
    return entropy.token(16)


def earlier(db: Session, by: str, form_id: str) -> Receipt | None:
    """Return the receipt of a form that was sent before, or None; raise Invalid for a form without an id."""
    if not 8 <= len(form_id) <= 64:
        raise Invalid("Open the page again and repeat.")
    return db.exec(select(Receipt).where(col(Receipt.made_by) == by, col(Receipt.form_id) == form_id)).one_or_none()


def begin(db: Session, **values: Any) -> Receipt:
    """Take the form's place before the work; raise AlreadyDone when another request took it a moment ago."""
    receipt = Receipt(facts={}, **values)
    try:
        with db.begin_nested():
            db.add(receipt)
    except IntegrityError:
        made = earlier(db, values["made_by"], values["form_id"])
        assert made is not None
        raise AlreadyDone(made) from None
    promises.want(db, receipt.provider_id, partial(_promised, receipt))
    return receipt


def _promised(receipt: Receipt, promise: dict[str, Any]) -> None:
    receipt.promise = promise


class AlreadyDone(Exception):
    """This form did its work in another request."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__(receipt.id)
        self.receipt = receipt


def of(db: Session, provider_id: str, account_id: str, name: str, value: str) -> Receipt | None:
    """Return the newest receipt of a change of a person's access here whose facts say this, or None."""
    return _newest(db, name, value, col(Receipt.provider_id) == provider_id, col(Receipt.account_id) == account_id)


def about(db: Session, provider_id: str, kind: str, name: str, value: str) -> Receipt | None:
    """Return the newest receipt of a kind at a practice whose facts say this, or None."""
    return _newest(db, name, value, col(Receipt.provider_id) == provider_id, col(Receipt.kind) == kind)


def _newest(db: Session, name: str, value: str, *where: ColumnElement[bool]) -> Receipt | None:
    said = type_coerce(col(Receipt.facts), Text).contains(orjson.dumps({name: value}).decode()[1:-1], autoescape=True)
    rows = db.exec(select(Receipt).where(*where, said).order_by(col(Receipt.created_at).desc(), col(Receipt.id).desc()))
    return next((row for row in rows if row.facts.get(name) == value), None)  # what is nested says it, too


def joined(db: Session, provider_id: str, account_id: str) -> Receipt | None:
    """Return the receipt of the invitation by which a person came to a practice last, or None."""
    return db.exec(
        select(Receipt)
        .where(
            col(Receipt.provider_id) == provider_id,
            col(Receipt.account_id) == account_id,
            col(Receipt.kind) == "joined",
        )
        .order_by(col(Receipt.created_at).desc())
        .limit(1)
    ).first()


def seen(receipt: Receipt, lines: Collection[str]) -> bool:
    """Say whether a receipt is about one of these lines of business, or about none."""
    facts = receipt.facts
    about = set(facts.get("lines") or ([facts["line"]] if facts.get("line") else []))
    return not about or bool(about & set(lines))


def at(db: Session, provider_id: str, receipt_id: str, lines: Collection[str]) -> Receipt:
    """Return a receipt of this practice of any kind and these lines of business, or raise NotFound."""
    receipt = db.get(Receipt, receipt_id)
    if receipt is None or receipt.provider_id != provider_id or not seen(receipt, lines):
        raise NotFound
    return receipt


def find(db: Session, provider_id: str, receipt_id: str, kind: str, lines: Collection[str]) -> Receipt:
    """Return a receipt of this practice and these lines, or raise NotFound."""
    receipt = at(db, provider_id, receipt_id, lines)
    if receipt.kind != kind:
        raise NotFound
    return receipt
