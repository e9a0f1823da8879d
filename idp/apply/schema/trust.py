"""Trust communities: organizations that vouch for each other by certificates."""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from idp.apply.schema.common import Entry, Ref, SecretText, Text, id_of, wrong


def _pem(value: object) -> object:
    if isinstance(value, str) and not value.lstrip().startswith(("-----BEGIN CERTIFICATE-----", "file:")):
        raise wrong("must be PEM certificates or file:NAME")
    return value


class Community(Entry):
    """A trust community, run by a partner; our certificate and key in it."""

    ref: Ref
    id: id_of("tcm") = None  # type: ignore[valid-type]
    partner: Ref
    name: Text
    anchors: Annotated[str, BeforeValidator(_pem)]
    certificates: Annotated[str, BeforeValidator(_pem)]
    private_key: SecretText
    acr_map: dict[str, Literal["aal1", "aal2", "phr"]] = {}
    status: Literal["active", "disabled"] = "active"
