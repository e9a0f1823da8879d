"""Common Event Format, version 0: seven fields of a header and pairs, on one line.

A backslash goes before the signs that part fields and pairs; what is no printable character stands as an
escape, so that no value can begin a line or a pair of its own.
"""

from idp.audit.forms.entry import Entry, visible

_PAIRS = (
    ("act", "event"),
    ("outcome", "outcome"),
    ("reason", "reason"),
    ("suid", "actor"),
    ("duid", "account"),
    ("src", "address"),
    ("sproc", "client"),
    ("deviceExternalId", "device"),
)
_LABELED = (
    ("cs1", "provider"),
    ("cs2", "entitlement"),
    ("cs3", "session"),
    ("cs4", "decision"),
    ("cs5", "request"),
    ("cs6", "details"),
)


def line(entry: Entry) -> bytes:
    """Return the record as one line."""
    severity = 8 if entry.grave else 5 if entry.refused else 2
    header = [
        "CEF:0", "idp", "identity and entitlements", "1", _header(entry.event), _header(entry.words), str(severity)
    ]  # fmt: skip
    pairs = [("rt", str(int(entry.at.timestamp() * 1000))), ("dvchost", entry.host), ("externalId", str(entry.number))]
    pairs += [(key, value) for key, name in _PAIRS if (value := entry.text(name)) is not None]
    for key, name in _LABELED:
        value = entry.text(name)
        if value is not None:
            pairs += [(f"{key}Label", name), (key, value)]
    return ("|".join(header) + "|" + " ".join(f"{key}={_value(value)}" for key, value in pairs) + "\n").encode()


def _header(value: str) -> str:
    return visible(value.replace("\\", "\\\\").replace("|", "\\|"))


def _value(value: str) -> str:
    return visible(value.replace("\\", "\\\\").replace("=", "\\=").replace("\r", "\\r").replace("\n", "\\n"))
