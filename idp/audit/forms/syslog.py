"""RFC 5424 messages: facility log audit, structured data, the words; framed for TLS as RFC 5425 says."""

from idp.audit.forms.entry import Entry, visible

_AUDIT = 13
"""Facility: log audit (RFC 5424 6.2.1)."""
_ALERT, _WARNING, _NOTICE = 1, 4, 5
_NAME = "idp@32473"
"""Structured data under the number reserved for examples (RFC 5612): this service has no enterprise number."""
_NAMES = (
    "event", "outcome", "reason", "actor", "account", "provider", "entitlement", "client", "channel", "session",
    "device", "purpose", "decision", "request", "address", "details",
)  # fmt: skip
_BOM = "\ufeff"


def line(entry: Entry) -> bytes:
    """Return the record as one line; `framed` makes of it what goes over TLS."""
    severity = _ALERT if entry.grave else _WARNING if entry.refused else _NOTICE
    at = entry.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    pairs = [("number", str(entry.number)), *entry.fields(*_NAMES)]
    data = "".join(f' {name}="{_value(value)}"' for name, value in pairs)
    ident = _token(entry.event, 32)
    head = f"<{_AUDIT * 8 + severity}>1 {at} {_token(entry.host, 255)} idp - {ident} [{_NAME}{data}]"
    return f"{head} {_BOM}{visible(entry.words)}\n".encode()


def note(origin: str, at: str, number: int, text: str) -> bytes:
    """Return the message that carries a checkpoint's signed note out of the database's reach."""
    host = _token(origin.partition("/")[0].partition(":")[0], 255)
    data = f'[{_NAME} checkpoint="{number}" note="{_value(text)}"]'
    return f"<{_AUDIT * 8 + _NOTICE}>1 {at} {host} idp - checkpoint {data} {_BOM}Signed checkpoint {number}\n".encode()


def framed(message: bytes) -> bytes:
    """Return a message with its length before it (RFC 5425 4.3)."""
    body = message.rstrip(b"\n")
    return b"%d %s" % (len(body), body)


def _value(value: str) -> str:
    """Return a parameter's value, its three signs behind a backslash (RFC 5424 6.3.3), on one line."""
    return visible(value).replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]")


def _token(value: str, most: int) -> str:
    """Return a header's token: printable ASCII without spaces, `-` for nothing (RFC 5424 6)."""
    return "".join(c for c in value if "!" <= c <= "~")[:most] or "-"
