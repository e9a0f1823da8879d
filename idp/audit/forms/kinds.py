"""Which forms there are."""

from collections.abc import Callable
from dataclasses import dataclass

from idp.audit.forms import cef, csv_line, fhir, ocsf, syslog
from idp.audit.forms.entry import Entry


@dataclass(frozen=True, slots=True)
class Form:
    """One form of an export."""

    title: str
    media_type: str
    suffix: str
    line: Callable[[Entry], bytes]
    head: bytes = b""


FORMS = {
    "csv": Form("CSV", "text/csv; charset=utf-8", "csv", csv_line.line, csv_line.head()),
    "cef": Form("CEF", "text/plain; charset=utf-8", "cef", cef.line),
    "ocsf": Form("OCSF", "application/jsonl", "ocsf.jsonl", ocsf.line),
    "syslog": Form("Syslog", "text/plain; charset=utf-8", "syslog", syslog.line),
    "fhir": Form("FHIR AuditEvent", "application/fhir+ndjson", "fhir.ndjson", fhir.line),
}
"""By the name in an address."""
