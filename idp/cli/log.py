"""Verify the log, and evidence, with the public half of the checkpoint key."""

import gc
from pathlib import Path

from idp.audit import checkpoint, log, origin
from idp.audit import verify as verifying
from idp.audit.events import Event
from idp.database import Database, transaction
from idp.wam.evidence import BadEvidence, check


def verify(database: Database, copy: Path | None = None) -> tuple[bool, str]:
    """Return whether the log is whole and a sentence; the verification itself is recorded.

    `copy` is another copy of the checkpoints than the settings name, such as a witness's.
    """
    settings = database.settings
    public = checkpoint.load_key(settings.audit_key_file).public_key()
    collects = gc.isenabled()
    gc.disable()  # the rows of a whole log leave no cycles: walking them was a tenth of the time
    try:
        report = verifying.verify(database, public, copy or settings.audit_copy)
    finally:
        if collects:
            gc.enable()
    with origin.acting_as("operator"), transaction(database) as db:
        outcome = "done" if report.whole else "failed"
        log.record(db, Event("audit.log.verified", outcome=outcome, details={"records": report.records}))
    findings = [finding.sentence for finding in report.findings[1:]]
    return report.whole, "\n".join([report.sentence, *findings])


def evidence(file: Path, key: Path) -> tuple[bool, str]:
    """Return whether an evidence file is genuine, and a sentence."""
    try:
        pack = check(file.read_bytes(), checkpoint.load_public(key))
    except BadEvidence as problem:
        return False, str(problem)
    signer = pack["signed_by"]["name"] if pack["signed_by"] else "nobody"
    return True, (
        f"Genuine. Review {pack['review']} of {pack['practice']['name']}, {len(pack['people'])} people, "
        f"signed by {signer} {pack['signed_at'] or ''}".strip()
    )
