"""Read a machine's form by hand: one content type, no duplicates, nothing undecodable (security.md 50, 83)."""

from urllib.parse import parse_qsl

from starlette.requests import Request

from idp.errors import OAuthRefused

_FORM = "application/x-www-form-urlencoded"


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields; raise OAuthRefused("invalid_request"). Empty values count as left out (RFC 6749 3.2)."""
    types = request.headers.getlist("content-type")
    kind, _, parameters = (types[0] if len(types) == 1 else "").partition(";")
    if kind.strip().lower() != _FORM:
        raise OAuthRefused("invalid_request", f"Send {_FORM}.")
    if "charset" in parameters.lower() and "utf-8" not in parameters.lower():
        raise OAuthRefused("invalid_request", "Send UTF-8.")
    return fields_of(await request.body())


def fields_of(body: bytes) -> dict[str, str]:
    """Return the fields of a form's bytes."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:  # UnicodeDecodeError is one
        raise OAuthRefused("invalid_request", "The body could not be decoded.") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        if name in fields:
            if name == "resource":
                # RFC 8707 2 lets a client name several resources, and an issuer refuse what it won't serve so.
                raise OAuthRefused("invalid_target", "A token is for one resource. Ask for each with its own request.")
            raise OAuthRefused("invalid_request", "A parameter was sent more than once.")
        if "\x00" in value or "\x00" in name:
            raise OAuthRefused("invalid_request", "The body holds a character that cannot be used.")
        fields[name] = value
    return {name: value for name, value in fields.items() if value}
