"""A partner's people as a SCIM server's storage: the protocol is the library's, the rules are people.py's."""

from contextlib import AbstractContextManager
from typing import Any, cast

import orjson
from scim2_models import (
    InvalidFilterException,
    InvalidValueException,
    Meta,
    NotFoundException,
    PreconditionFailedException,
    Resource,
    ResourceType,
    ResponseParameters,
    SearchRequest,
    UniquenessException,
    default_comparison_key,
)
from scim2_models import Path as ScimPath
from scim2_models.path import CompareOperator, Comparison
from scim2_server.storage import ScimStorage, SearchPage
from sqlmodel import Session as Db
from sqlmodel import col, func, select

from idp.errors import Conflict, NotFound
from idp.provisioning import people
from idp.provisioning.description import User
from idp.provisioning.tables import PartnerPerson

WALKED_MOST = 20_000
"""People a filter without an index may look through; a larger list is asked by userName, externalId or id."""
LONGEST_NAME, LONGEST_FACTS = 256, 10_000
"""Characters of a user name or external id, and bytes of all that is kept of one person."""
_LAST_START = 2**31
"""No list is as long; a number the database cannot hold starts there."""
_INDEXED = {"userName": "name_key", "externalId": "external_id", "id": "id"}
_NAME = ScimPath[User]("userName").resolve()


class PartnerPeople(ScimStorage):
    """The people of one partner, inside one transaction."""

    def __init__(self, db: Db, partner_id: str) -> None:
        self._db, self._partner = db, partner_id

    def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        """Return a person; raise NotFoundException for anybody not on this partner's list."""
        try:
            return _resource(people.find(self._db, self._partner, resource_id))
        except NotFound:
            raise NotFoundException(detail="There is no such person on your list.") from None

    def search(
        self, resource_types: list[ResourceType], search_request: SearchRequest[Any], *, position: Any = None
    ) -> SearchPage:
        """Return one page in the order of ids; an indexed equality and a search without filter never walk the list."""
        kept = select(PartnerPerson).where(
            col(PartnerPerson.partner_id) == self._partner, col(PartnerPerson.removed_at).is_(None)
        )
        asked = search_request.filter
        search_request.start_index = min(search_request.start_index or 1, _LAST_START)  # the answer repeats it
        start, count = search_request.start_index_0 or 0, search_request.count
        indexed = _indexed(asked)
        if indexed is not None:
            kept = kept.where(col(getattr(PartnerPerson, indexed[0])) == indexed[1])
        total = self._db.exec(select(func.count()).select_from(kept.subquery())).one()
        ordered = kept.order_by(col(PartnerPerson.id))
        if asked is None or indexed is not None:
            page = ordered.offset(start) if count is None else ordered.offset(start).limit(count)
            return SearchPage(total, [_resource(row) for row in self._db.exec(page).all()])
        if total > WALKED_MOST:
            raise InvalidFilterException(
                detail="Your list is too long for this filter. Use userName, externalId or id."
            )
        found: list[Resource[Any]] = [
            made for row in self._db.exec(ordered).all() if asked.match(made := _resource(row))
        ]
        return SearchPage(len(found), found[start : None if count is None else start + count])

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        """Record a person; raise UniquenessException for a user name or external id on the list already."""
        try:
            made = people.create(self._db, self._partner, **_values(resource))
        except Conflict as problem:
            raise UniquenessException(detail=problem.detail) from None
        return _resource(people.find(self._db, self._partner, made))

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        """Replace a person's facts."""
        assert resource.id is not None
        version = _number(expected_version)
        try:
            people.change(self._db, self._partner, resource.id, **_values(resource), version=version)
        except NotFound:
            raise NotFoundException from None
        except people.Changed as problem:
            raise PreconditionFailedException(detail=problem.detail) from None
        except Conflict as problem:
            raise UniquenessException(detail=problem.detail) from None
        return _resource(people.find(self._db, self._partner, resource.id))

    def delete(self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None) -> None:
        """Take a person off the list."""
        try:
            people.remove(self._db, self._partner, resource_id, version=_number(expected_version))
        except NotFound:
            raise NotFoundException from None
        except people.Changed as problem:
            raise PreconditionFailedException(detail=problem.detail) from None

    def operation(self) -> AbstractContextManager[None]:
        """Enclose one operation in a savepoint, so that one that fails leaves nothing."""
        return cast("AbstractContextManager[None]", self._db.begin_nested())


def _indexed(asked: Any) -> tuple[str, str] | None:
    """Return (column, value) where the whole filter is one equality that an index answers."""
    node = asked.ast if asked is not None else None
    if not isinstance(node, Comparison) or node.op != CompareOperator.eq or not isinstance(node.value, str):
        return None
    attribute = asked.resolve_comparison(node.attr_path, strict=False)
    column = _INDEXED.get(str(attribute.urn).rpartition(":")[2]) if attribute is not None else None
    if column is None or "\x00" in node.value:
        return None
    return column, _key(node.value) if column == "name_key" else node.value


def _key(user_name: str) -> str:
    assert _NAME is not None
    return default_comparison_key(_NAME, user_name)


def _values(resource: Resource[Any]) -> dict[str, Any]:
    user = cast(User, resource)
    facts = user.model_dump(scim_ctx=None)
    for name in ("id", "meta", "schemas"):
        facts.pop(name, None)
    name_key, stored = _key(user.user_name or ""), orjson.dumps(facts)
    if max(len(name_key), len(user.user_name or ""), len(user.external_id or "")) > LONGEST_NAME:
        raise InvalidValueException(detail=f"userName and externalId have at most {LONGEST_NAME} characters.")
    if len(stored) > LONGEST_FACTS:
        raise InvalidValueException(detail=f"All of one person has at most {LONGEST_FACTS} bytes.")
    if b"\\u0000" in stored:
        raise InvalidValueException(detail="A value holds a character that cannot be kept.")
    return {"name_key": name_key, "external_id": user.external_id, "facts": facts}


def _resource(row: PartnerPerson) -> User:
    made = User.model_validate({"schemas": [str(User.__schema__)], **row.facts}, scim_ctx=None)
    made.id = row.id
    made.meta = Meta(
        resource_type="User",
        created=row.created_at,
        last_modified=row.changed_at if row.version > 1 else row.created_at,
        version=f'W/"{row.version}"',
    )
    return made


def _number(version: str | None) -> int | None:
    digits = (version or "").removeprefix("W/").strip('"')
    if version is None:
        return None
    if not (digits.isascii() and digits.isdigit()):
        raise PreconditionFailedException
    return int(digits)
