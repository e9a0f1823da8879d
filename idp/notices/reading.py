"""A mail as its reader sees it, and the "This wasn't me" link in it (ui.md 4.11).

The link names the mail and is proven by a keyed hash, so nothing of it is kept: the relay and the mailbox page
make the same one. It works for a week, and for the account the mail told about.
"""

import hmac
from datetime import timedelta

from sqlmodel import Session as Db

from idp import clock
from idp.configuration import Insurer
from idp.database import of
from idp.envelope import KeyRing
from idp.notices import catalogue
from idp.notices.tables import Outbox
from idp.settings import Settings

GOOD_FOR = timedelta(days=7)


def shown(mail: Outbox, settings: Settings, ring: KeyRing, insurer: Insurer) -> tuple[str, str]:
    """Return (subject, text) of a mail."""
    facts = dict(mail.facts)
    if mail.account_id is not None:
        facts["not_me"] = f"{settings.issuer}/report/not-me/{token(ring, mail)}"
    return catalogue.rendered(
        mail.template, facts, insurer=insurer.name, phone=insurer.help_phone, link=settings.issuer
    )


def token(ring: KeyRing, mail: Outbox) -> str:
    """Return what the link of a mail carries."""
    return f"{mail.id}-{_proof(ring, mail)}"


def _proof(ring: KeyRing, mail: Outbox) -> str:
    value = f"not me\n{mail.id}\n{mail.account_id}\n{clock.micros(mail.created_at)}"
    return ring.keyed_hash("forms", value)[:16].hex()


def mail_of(db: Db, carried: str) -> Outbox | None:
    """Return the mail a link names, where the link is genuine and not older than a week."""
    number, _, proof = carried.partition("-")
    if not (number.isascii() and number.isdigit() and len(number) < 16 and proof.isascii()):
        return None
    mail = db.get(Outbox, int(number))
    if mail is None or mail.account_id is None or clock.now() >= mail.created_at + GOOD_FOR:
        return None
    return mail if hmac.compare_digest(proof, _proof(of(db).ring, mail)) else None
