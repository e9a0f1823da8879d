"""Every road that takes something away is told, and what changes about a person's credentials too (D-5)."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from idp import clock
from idp.accounts import local_logins, passwords, people, sessions
from idp.accounts.assurance import AAL1, AAL2
from idp.accounts.tables import TokenFamily
from idp.database import Database, reading, transaction
from idp.leaving import partners
from idp.oauth import clients
from idp.partners.tables import Partner
from idp.providers import organisations
from idp.providers.tables import Provider


def _told(database: Database) -> list[dict[str, Any]]:
    with reading(database) as db:
        rows = db.execute(text("SELECT * FROM revocation ORDER BY seq"))
        return [dict(row._mapping) for row in rows]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_d5_a_suspended_partners_apps_an_ended_agreement_and_a_suspended_app_are_told(database: Database) -> None:
    with transaction(database) as db:
        db.add(Partner(id="ptr_x", kind="third_party", name="Summit", status="active"))
        db.add(Provider(id="prv_x", kind="practice", name="Lakeside", status="active"))
        db.flush()
        for name, partner in (("theirs", "ptr_x"), ("ours", None)):
            clients.register(db, client_id=name, partner_id=partner, grant_types=["client_credentials"])
        agreement = organisations.agree(db, "prv_x", "medical", starts_at=clock.now() - timedelta(days=9))
    with transaction(database) as db:
        partners.suspend(db, "ptr_x", because="overdue")
        clients.change(db, "ours", status="suspended")
        organisations.set_end(db, db.merge(agreement), clock.now() - timedelta(days=1))
    assert [(one["kind"], one["client_id"], one["provider_id"]) for one in _told(database)] == [
        ("partner_suspended", None, None),
        ("client_suspended", "theirs", None),
        ("client_suspended", "ours", None),
        ("agreement_ended", None, "prv_x"),
    ]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_caep_a_step_up_is_told_where_apps_use_the_session_and_a_new_password_always(database: Database) -> None:
    """A sign-in under way is not told: no app has a session that it could change."""
    new = passwords.hashed(database.ring, "seven quiet lamps in a row")
    with transaction(database) as db:
        ana = people.create(db, display_name="Ana Ruiz", status="active")
        login = local_logins.add(db, ana.id, "ana.ruiz", new)
        fresh = sessions.open_session(db, account_id=ana.id, login_id=login.id, acr=AAL1, amr=["pwd"]).session
        used = sessions.open_session(db, account_id=ana.id, login_id=login.id, acr=AAL1, amr=["pwd"]).session
        db.add(TokenFamily(session_id=used.id, client_id="claims", account_id=ana.id))
        db.flush()
        for session in (fresh, used):
            sessions.strengthen(db, session, acr=AAL2, amr=["otp"])
        local_logins.change_password(db, ana.id, new, keep_session=used.id)
    found = _told(database)
    assert [(one["kind"], one["session_id"]) for one in found] == [
        ("assurance_changed", used.id),
        ("credential_changed", None),
        ("session_ended", fresh.id),
    ]
    assert '"current_level":"' + AAL2 in found[0]["facts"]
    assert '"credential_type":"password"' in found[1]["facts"]
