"""The applied settings: names people read, clocks, channels and policy values (decisions.md 10 and 11).

They live in one row of the database, put there by `idp apply`, and hold defaults for all that is not
said. Changing them raises the policy epoch, so every worker reads them again.
"""

from datetime import date, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Limit
from sqlmodel import Field, Session

from idp.database.history import keep_rows
from idp.database.types import Row


class ConfigurationRow(Row, table=True):
    """Single row, replaced whole."""

    __tablename__ = "configuration"
    id: int = Field(default=1, primary_key=True)
    body: str = "{}"


SUBJECT = "settings"
"""Whose history the settings' changes are."""
keep_rows(ConfigurationRow, "settings", lambda _row: SUBJECT, ("body",))


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Clocks(_Section):
    """Durations; ISO 8601 or seconds in the applied file."""

    session_idle: timedelta = Limit(default=timedelta(minutes=15), gt=timedelta(0), le=timedelta(hours=1))
    """Of sessions at AAL2, and where the strength has no limit of its own; ceilings of NIST SP 800-63B-4 2.2.3."""
    session_absolute: timedelta = Limit(default=timedelta(hours=12), gt=timedelta(0), le=timedelta(hours=24))
    session_idle_aal1: timedelta | None = Limit(default=None, gt=timedelta(0), le=timedelta(hours=24))
    """Of sessions with one factor; the ceiling of the absolute one is NIST SP 800-63B-4 2.1.3."""
    session_absolute_aal1: timedelta | None = Limit(default=None, gt=timedelta(0), le=timedelta(days=30))
    session_idle_phr: timedelta = Limit(default=timedelta(minutes=15), gt=timedelta(0), le=timedelta(minutes=15))
    """Of sessions at phishing-resistant strength; ceilings of AAL3 (NIST SP 800-63B-4 2.3.3)."""
    session_absolute_phr: timedelta = Limit(default=timedelta(hours=12), gt=timedelta(0), le=timedelta(hours=12))
    access_token: timedelta = timedelta(minutes=5)
    id_token: timedelta = timedelta(minutes=5)
    refresh_token: timedelta = timedelta(hours=12)
    authorization_code: timedelta = timedelta(seconds=60)
    flow: timedelta = timedelta(minutes=10)
    pushed_request: timedelta = timedelta(seconds=90)
    link_proof: timedelta = timedelta(minutes=10)
    invitation: timedelta = timedelta(hours=24)
    recovery: timedelta = timedelta(hours=1)
    """How long getting back in may take, from the name typed to the new password."""
    recovery_wait: timedelta = timedelta(hours=24)
    """How long an access manager's word for a person waits, so that its owner can stop it."""
    mailed_code: timedelta = Limit(default=timedelta(minutes=15), gt=timedelta(0), le=timedelta(minutes=15))
    client_assertion: timedelta = timedelta(minutes=5)
    factor_fresh: timedelta = timedelta(minutes=15)
    key_next: timedelta = timedelta(hours=1)
    key_retiring: timedelta = timedelta(hours=24)
    key_rotation: timedelta = timedelta(days=90)
    jwks_max_age: timedelta = timedelta(minutes=5)
    upstream_metadata: timedelta = timedelta(hours=1)
    leeway: timedelta = timedelta(seconds=60)
    attestation_years: int = 1
    attestation_reminders: tuple[timedelta, ...] = (timedelta(days=30), timedelta(days=7))
    """How long before its end a person is reminded of an attestation; the first also opens its renewal."""
    credential_warnings: tuple[timedelta, ...] = tuple(timedelta(days=days) for days in (90, 60, 30, 7))
    """How long before its end a practice is told of a credentialing fact (O-01)."""
    registration: timedelta = timedelta(hours=24)
    """A registration that was begun; also how long its e-mailed code is good (domain.md 7)."""
    application_reminders: tuple[timedelta, ...] = (timedelta(days=3), timedelta(days=7))
    application_escalates: timedelta = timedelta(days=14)
    application_expires: timedelta = timedelta(days=30)
    claim_locked: timedelta = timedelta(hours=24)
    """How long a person waits after five wrong proofs before claiming again (W-1)."""
    first_manager_fact: timedelta = Limit(default=timedelta(days=60), gt=timedelta(0), le=timedelta(days=60))
    """How old a claim or payment may be that proves who may manage a practice's access (domain.md 7)."""
    first_manager_key: timedelta = Limit(default=timedelta(days=60), gt=timedelta(0), le=timedelta(days=60))
    """How long the key in a letter is good."""
    first_manager_call: timedelta = Limit(default=timedelta(days=3), gt=timedelta(0), le=timedelta(days=7))
    """How long a person waits with the number we ask for when we call the practice back."""
    review: timedelta = Limit(default=timedelta(days=365), ge=timedelta(days=60))
    """How often access managers confirm what a person may do (W-7)."""
    review_sensitive: timedelta = Limit(default=timedelta(days=90), ge=timedelta(days=60))
    """The same for people of outside companies and for functions of sensitivity 5."""
    review_notices: tuple[timedelta, ...] = (
        timedelta(days=45),
        timedelta(days=20),
        timedelta(days=7),
        timedelta(days=1),
    )
    """Before a review's due date; the first also opens it."""
    review_ends: timedelta = timedelta(days=14)
    """After the due date: what was paused because nobody answered ends."""
    payment_hold: timedelta = timedelta(hours=24)
    """What moves money begins this long after it was asked for, so that every access manager has heard of it."""
    emergency: timedelta = Limit(default=timedelta(hours=4), gt=timedelta(0), le=timedelta(hours=4))
    """How long functions taken for an emergency hold."""
    inactivity_warns: timedelta = Limit(default=timedelta(days=60), ge=timedelta(days=1))
    """Not seen for so long, a person is told that their access will be paused (domain.md 7)."""
    inactivity_suspends: timedelta = Limit(default=timedelta(days=90), ge=timedelta(days=2))
    inactivity_ends: timedelta = Limit(default=timedelta(days=180), ge=timedelta(days=3))
    case_triage_urgent: timedelta = Limit(default=timedelta(hours=4), gt=timedelta(0), le=timedelta(days=3))
    """How soon the desk takes up a case in which what an account had open was ended; others: 1 business day."""
    case_answer: timedelta = Limit(default=timedelta(hours=72), ge=timedelta(hours=1))
    """How long the person and the access managers have to answer a question about a case."""
    case_notice: timedelta = Limit(default=timedelta(hours=24), gt=timedelta(0), le=timedelta(hours=72))
    """How soon after containment, a decision or an action those concerned are told."""
    case_appeal: timedelta = Limit(default=timedelta(days=30), ge=timedelta(days=1))
    """How long a decision can be appealed against."""
    case_second_word: timedelta = Limit(default=timedelta(days=7), ge=timedelta(hours=1))
    """How long an action that two people must want waits for the second."""
    case_interim: timedelta = Limit(default=timedelta(days=30), ge=timedelta(days=1), le=timedelta(days=90))
    """How long an interim access manager holds the role at the longest."""
    case_kept_years: int = Limit(default=6, ge=6, le=50)
    """How long a case and its frozen evidence are kept after their last effect, at the least (domain.md 7)."""
    seal: timedelta = timedelta(milliseconds=250)
    checkpoint: timedelta = timedelta(seconds=60)


class Emergency(_Section):
    """What may be taken for an emergency, without anybody's leave (break glass)."""

    functions: tuple[str, ...] = (
        "eligibility.view",
        "network.verify",
        "idcard.view",
        "precert.view",
        "precert.submit",
        "precert.clinical",
        "referral.manage",
        "epa.launch",
        "clinical.record.view",
        "message.send",
    )
    """Never what moves money or gives access, whatever stands here."""


class Sharing(_Section):
    """How far findings of shared and stolen logins go by themselves (domain.md 10)."""

    most: Literal["score", "notice", "case", "containment"] = "containment"
    """`score`: nothing follows; `notice`: the person is asked; `case`: the desk gets a case; `containment`: what the
    account has open ends too."""


class Insurer(_Section):
    """What pages and mails call us, and who helps."""

    name: str = "Meridian Health Plan"
    help_phone: str = "1-800-555-0142"
    help_hours: str = "Monday to Friday, 7 AM to 7 PM Central"
    help_email: str = "access-support@meridian.example"
    service_line: str = "1-800-555-0100"
    service_hours: str = "Monday to Friday, 8 AM to 6 PM Central"
    affiliate_name: str = "Meridian Care Management"
    """The affiliated company that answers for precertification of shared accounts (S-02)."""
    affiliate_phone: str = "1-800-555-0177"
    holidays: tuple[date, ...] = ()
    """Days on which staff do not work: "the next business day" passes over them."""


class Passwords(_Section):
    """Limits of password sign-in (security.md 6 to 8)."""

    concurrent_hashes: int = 2
    waiting_hashes: int = 16
    max_failures: int = 100
    delays_after: int = 5
    """Consecutive failures before delays start; 0 failures counted is never a setting."""
    throttle: bool = True
    """False only in development, for measurements that sign one person in without end."""


class Registration(_Section):
    """How people may register by themselves (T-20 to T-24)."""

    routes: frozenset[str] = frozenset({"new", "existing", "affiliate", "third_party"})
    """Open everywhere: a new login here, one that exists here, an affiliate's, a third party's."""
    closed: dict[str, frozenset[str]] = {}
    """Id of an app, practice, partner or login provider -> routes that are closed there."""
    most_practices: int = 50
    """TINs in one registration."""
    starts_per_hour: int = Limit(default=60, ge=1)
    """Registrations one network may begin in an hour."""


class Configuration(_Section):
    """Everything the applied file's `settings` section may say."""

    insurer: Insurer = Insurer()
    clocks: Clocks = Clocks()
    passwords: Passwords = Passwords()
    channels: frozenset[str] = frozenset({"site", "mobile", "third_party_site"})
    second_factor_for_everyone: bool = False
    registration: Registration = Registration()
    emergency: Emergency = Emergency()
    sharing: Sharing = Sharing()


_IN_FORCE = "configuration"
_cache: dict[str, Configuration] = {}


def parse(body: str) -> Configuration:
    """Turn the stored text into a Configuration; remembered by its text."""
    known = _cache.get(body)
    if known is None:
        if len(_cache) > 32:
            _cache.clear()
        known = _cache[body] = Configuration.model_validate_json(body)
    return known


def current(session: Session) -> Configuration:
    """Return the settings in force in this transaction, read once in it."""
    found: Configuration | None = session.info.get(_IN_FORCE)
    if found is None:
        row = session.get(ConfigurationRow, 1)
        found = session.info[_IN_FORCE] = parse(row.body if row else "{}")
    return found


def put(session: Session, settings: Configuration) -> None:
    """Give a session the settings that somebody has read for it."""
    session.info[_IN_FORCE] = settings


def changed(session: Session) -> None:
    """Forget what this transaction read: it has just written other settings."""
    session.info.pop(_IN_FORCE, None)
