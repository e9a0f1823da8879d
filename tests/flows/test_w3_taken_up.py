"""W-3: an invitation mailed to one and taken up by another existing person is told to the access managers at once."""

import json
import re

from sqlalchemy import text

from idp.accounts import people
from idp.database import transaction
from idp.registration import accepting, invitations
from tests.flows.managing import Managed, filling, managed

__all__ = ["filling", "managed"]
LINE_SHOWN = "Took up the invitation for Eli Moss, sent to e...@clinic.example"


def taken(managed: Managed, by: str | None, **more: str) -> str:
    """Wes invites Eli Moss; somebody takes it up. Return whose account it was."""
    facts = {"display_name": "Eli Moss", "email": "eli@clinic.example", "bundle": "biller", **more}
    with transaction(managed.world.database) as db:
        for name in ("wes", "mia", "otto"):
            people.add_contact(db, managed.world.people[name], f"{name}@clinic.example", verified=True)
        made, _ = invitations.invite(
            db,
            invited_by=managed.world.wes,
            provider_id=managed.world.lakeside,
            **facts,  # type: ignore[arg-type]
        )
    with transaction(managed.world.database) as db:
        return accepting.accept(db, made.id, account_id=managed.world.people[by] if by else None).id


def told(managed: Managed) -> list[str]:
    with transaction(managed.world.database) as db:
        rows = db.execute(text("SELECT recipient FROM outbox WHERE template = 'invitation_taken' ORDER BY recipient"))
        return [str(row[0]) for row in rows.all()]


def logged(managed: Managed) -> bool:
    with transaction(managed.world.database) as db:
        query = "SELECT leaf FROM audit_record WHERE event = 'registration.invitation.accepted' ORDER BY seq DESC"
        found = db.execute(text(query)).scalars().first()
        assert found is not None
        return bool(json.loads(bytes(found))["details"]["other_address"])


def test_w3_managers_hear_at_once_that_another_person_took_an_invitation_up(managed: Managed) -> None:
    hana = taken(managed, "hana")
    assert told(managed) == ["mia@clinic.example", "wes@clinic.example"]
    assert logged(managed)
    page = managed.as_("wes").get(f"{managed.here}/people/{hana}")
    assert LINE_SHOWN in page.text
    assert "eli@" not in page.text
    with transaction(managed.world.database) as db:
        people.add_contact(db, hana, "eli@clinic.example", verified=True)
    assert LINE_SHOWN not in managed.as_("wes").get(f"{managed.here}/people/{hana}").text


def test_w3_an_address_that_is_kept_but_not_confirmed_is_nobodys_yet(managed: Managed) -> None:
    with transaction(managed.world.database) as db:
        people.add_contact(db, managed.world.hana, "eli@clinic.example")
    taken(managed, "hana")
    assert told(managed)


def test_w3_the_person_it_was_mailed_to_a_new_one_and_a_named_one_are_no_news(managed: Managed) -> None:
    with transaction(managed.world.database) as db:
        people.add_contact(db, managed.world.hana, "hana@clinic.example", verified=True)
    hana = taken(managed, "hana", email="Hana@Clinic.example")
    new = taken(managed, None)
    named = taken(managed, "otto", account_id=managed.world.people["otto"])
    assert told(managed) == []
    assert not logged(managed)
    for one in (hana, new, named):
        assert "Took up the invitation" not in managed.as_("wes").get(f"{managed.here}/people/{one}").text


def test_w3_the_log_why_and_the_receipt_name_who_gave_what_came_with_an_invitation(managed: Managed) -> None:
    """The person took it up, signed in or not; who gave it is the manager who invited."""
    eli = taken(managed, None)
    told_of = managed.as_("mia").get(f"{managed.here}/log?kind=entitlements.grant.")
    rows = [row for row in told_of.response.text.split("<tr>") if "Eli Moss" in row and "Access was given" in row]
    assert rows
    assert all("Wes Kane" in row for row in rows)
    accepted = managed.as_("mia").get(f"{managed.here}/log?kind=registration.invitation.").text
    assert re.search(r"An invitation was accepted.{0,80}Wes Kane", accepted)
    why = managed.as_("mia").get(f"{managed.here}/people/{eli}/why?function=remit.view").text
    assert "Remittance, given by Wes Kane" in why
    assert "came with an invitation" in why
    assert '"invited"' not in why
