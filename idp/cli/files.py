"""The two files of keys a deployment needs before anything else: master keys and the log's checkpoint key."""

import base64
import os
from pathlib import Path

from idp import entropy
from idp.audit.checkpoint import make_key
from idp.settings import NotConfigured


def make_missing() -> list[str]:
    """Make the files the environment names where they do not exist; never replace one. Returns a sentence each."""
    told = []
    master = os.environ.get("IDP_MASTER_KEYS_FILE")
    if not master and not os.environ.get("IDP_MASTER_KEYS"):
        raise NotConfigured("IDP_MASTER_KEYS_FILE is not set; it names the file the master key is written to")
    if master and not Path(master).exists():
        Path(master).parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(master, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(f"k1:{base64.b64encode(entropy.raw(32)).decode()}\n")
            os.fsync(file.fileno())
        told.append(f"Wrote a master key to {master}. Back it up apart from the database: without it all is lost.")
    audit = os.environ.get("IDP_AUDIT_KEY_FILE")
    if not audit:
        raise NotConfigured("IDP_AUDIT_KEY_FILE is not set; it names the file the log's checkpoint key is written to")
    if not Path(audit).exists():
        make_key(Path(audit))
        told.append(f"Wrote the log's checkpoint key to {audit}, its public half to {audit}.pub.")
    return told
