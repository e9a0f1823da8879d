"""Things that end by themselves: each begun by one function, which returns how to ask whether it still works."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlmodel import Session as Db
from sqlmodel import select

from idp import clock
from idp.accounts import (
    ceremonies,
    flows,
    linking,
    people,
    recovery,
    recovery_mail,
    sessions,
    vouching,
)
from idp.accounts.assertion import Assertion
from idp.accounts.assurance import AAL2
from idp.accounts.tables import Login, Session
from idp.configuration import Clocks
from idp.database import transaction
from idp.entitlements import asking
from idp.entitlements.question import OURSELVES, Question
from idp.errors import Refused
from idp.merging import merge
from idp.providers import affiliations, organisations
from idp.registration import first_manager, invitations, journey, waiting
from idp.registration.tables import Application, FirstManagerClaim
from tests.sign_in_world import World

Open = Callable[[], bool]
"""Asks once more whether the thing still works; changes nothing."""
BROWSER = "a-browser-of-our-own"


@dataclass(frozen=True)
class Expiry:
    """One clock: its line of domain.md, how long it runs, and what begins it."""

    line: str
    lasts: timedelta
    begin: Callable[[World], Open]
    clock: str | None = None
    """The setting it is."""


def _works(world: World, ask: Callable[[Db], object]) -> Open:
    def asked() -> bool:
        with transaction(world.database) as db, db.begin_nested() as taken_back:
            try:
                return bool(ask(db))
            except Refused:
                return False
            finally:
                taken_back.rollback()

    return asked


def _session(world: World, name: str = "ana") -> sessions.Opened:
    account_id = world.ids()[name]
    with transaction(world.database) as db:
        login = db.exec(select(Login).where(Login.account_id == account_id)).first()
        assert login is not None
        now = clock.now()
        return sessions.open_session(
            db, account_id=account_id, login_id=login.id, acr=AAL2, amr=["pwd", "otp"], factor_time=now
        )


def idle(world: World) -> Open:
    secret = _session(world).secret
    return _works(world, lambda db: sessions.find(db, secret))


def overall(world: World) -> Open:
    opened = _session(world)

    def used_all_along() -> bool:
        with transaction(world.database) as db:
            row = db.get(Session, opened.session.id)
            assert row is not None
            row.last_seen_at = clock.now() - timedelta(minutes=1)
            db.add(row)
        with transaction(world.database) as db:
            return sessions.find(db, opened.secret) is not None

    return used_all_along


def proof_for_linking(world: World) -> Open:
    opened = _session(world)

    def fresh(db: Db) -> bool:
        row = db.get(Session, opened.session.id)
        assert row is not None
        linking.require_fresh_proof(db, row)
        return True

    return _works(world, fresh)


def pending_link(world: World) -> Open:
    assertion = Assertion(
        upstream_id="ups_evergreen",
        issuer=world.evergreen.issuer,
        subject="ev-9",
        acr="",
        amr=(),
        auth_time=clock.now(),
        facts={},
        partner_id="ptr_evergreen",
    )
    with transaction(world.database) as db:
        held = linking.hold(db, assertion, browser=BROWSER, flow_id=None).id
    return _works(world, lambda db: linking.find(db, held, browser=BROWSER, flow_id=None))


def pending_merge(world: World) -> Open:
    opened = _session(world)
    with transaction(world.database) as db:
        row = db.get(Session, opened.session.id)
        assert row is not None
        begun = merge.begin(db, row, browser=BROWSER).id
    return _works(world, lambda db: merge.find(db, begun, browser=BROWSER))


def a_journey(world: World) -> Open:
    with transaction(world.database) as db:
        begun = flows.begin(db, browser=BROWSER, target="/account").id
    return _works(world, lambda db: flows.find(db, begun, BROWSER))


def invitation(world: World) -> Open:
    with transaction(world.database) as db:
        _, secret = invitations.invite(
            db, invited_by=world.ids()["wes"], display_name="Nina Frost", provider_id="prv_lakeside"
        )
    return _works(world, lambda db: invitations.look_up(db, secret))


def a_registration(world: World) -> Open:
    with transaction(world.database) as db:
        begun = journey.begin(db, browser=BROWSER, route="new").id
    return _works(world, lambda db: journey.find(db, begun, browser=BROWSER, person=None))


def a_recovery(world: World) -> Open:
    with transaction(world.database) as db:
        begun = recovery.begin(db, "ana.ruiz", browser=BROWSER, device_secret=None).id
    return _works(world, lambda db: recovery.find(db, begun, BROWSER))


def mailed_code(world: World) -> Open:
    account_id = world.ids()["ana"]
    with transaction(world.database) as db:
        people.add_contact(db, account_id, "ana@example.com", verified=True)
        begun = recovery.begin(db, "ana.ruiz", browser=BROWSER, device_secret=None)
        recovery.want_code(db, begun)
        begun_id = begun.id
    recovery_mail.send(world.database)
    with transaction(world.database) as db:
        facts = str(db.execute(text("SELECT facts FROM outbox WHERE template = 'recovery_code'")).scalars().first())
    code = "".join(re.findall(r"\d", facts))

    return _works(world, lambda db: recovery.CHECKS["mailed"](db, recovery.find(db, begun_id, BROWSER), code))


def managers_word(world: World) -> Open:
    """Closed until its wait is over: the row says `not yet`."""
    account_id = world.ids()["ana"]
    with transaction(world.database) as db:
        begun = recovery.begin(db, "ana.ruiz", browser=BROWSER, device_secret=None)
        begun.code_proved_at = begun.manager_wanted_at = clock.now()
        db.add(begun)
        db.flush()
        vouching.vouch(db, account_id, "prv_lakeside", by=world.ids()["wes"])

    def still_waits(db: Db) -> bool:
        word = vouching.of_account(db, account_id)
        return word is not None and not word.usable

    return _works(world, still_waits)


def a_factor_used(world: World) -> Open:
    """A decision that wants a fresh second step, asked by an access manager who never goes away."""
    with transaction(world.database) as db:
        organisations.open_portal(db, "prv_lakeside", "medical", by="operator")
        organisations.agree(db, "prv_lakeside", "medical")
    session_id = _session(world, "wes").session.id
    question = Question(world.ids()["wes"], "access.manage", "prv_lakeside", OURSELVES, line="medical", sid=session_id)

    def permitted() -> bool:
        with transaction(world.database) as db:
            row = db.get(Session, session_id)
            assert row is not None
            row.last_seen_at = clock.now()
            db.add(row)
        with transaction(world.database) as db:
            found = asking.decide_in_session(db, question)
        assert found.reason in (None, "step_up_required", "eligibility_ceased")
        return found.reason is None

    return permitted


def an_affiliation(world: World) -> Open:
    account_id = world.ids()["ana"]
    with transaction(world.database) as db:
        for row in affiliations.in_force(db, account_id, clock.now()):
            affiliations.end(db, row, by="operator", reason="test")
        affiliations.approve(
            db,
            account_id=account_id,
            provider_id="prv_lakeside",
            capacity="representative",
            by="operator",
            ends_at=clock.now() + timedelta(days=90),
        )
    return _works(world, lambda db: affiliations.in_force(db, account_id, clock.now()))


def an_application(world: World) -> Open:
    with transaction(world.database) as db:
        made = Application(
            account_id=world.ids()["ana"],
            tin_hash=b"tin",
            tin_encrypted=b"sealed",
            tin_last4="6789",
            starts_at=clock.now(),
            expires_at=clock.now() + Clocks().application_expires,
        )
        db.add(made)
        db.flush()
        made_id = made.id

    def waits() -> bool:
        with transaction(world.database) as db:
            waiting.tend(db)
        with transaction(world.database) as db:
            row = db.get(Application, made_id)
            return row is not None and row.status == "submitted"

    return waits


def a_locked_claim(world: World) -> Open:
    account_id = world.ids()["ana"]
    with transaction(world.database) as db:
        made = Application(
            account_id=account_id,
            tin_hash=b"tin",
            tin_encrypted=b"sealed",
            tin_last4="6789",
            starts_at=clock.now(),
            expires_at=clock.now() + timedelta(days=30),
        )
        db.add(made)
        db.flush()
        db.add(
            FirstManagerClaim(
                application_id=made.id,
                account_id=account_id,
                tin_hash=b"tin",
                status="locked",
                tries=first_manager.MOST_WRONG,
                locked_at=clock.now(),
            )
        )
    return _works(world, lambda db: first_manager.locked(db, account_id, b"tin"))


def a_passkeys_challenge(world: World) -> Open:
    bound = ceremonies.Bound("sign_in", BROWSER)
    with transaction(world.database) as db:
        sent = ceremonies.challenge(db, bound)

    return _works(world, lambda db: ceremonies.spend(db, bound, sent))
