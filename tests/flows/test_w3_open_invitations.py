"""W-3: an invitation nobody took up is shown with what it gives, sent again with a new link, or taken back."""

import threading
from datetime import timedelta

import pytest
from freezegun import freeze_time

from idp import clock
from idp.catalogue import gate
from idp.database import transaction
from idp.errors import Refused
from idp.registration import accepting, invitations
from tests.browser import Browser
from tests.flows.managing import Managed, filling, managed
from tests.wam.world import LINE

__all__ = ["filling", "managed"]
SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def invited(managed: Managed, name: str = "Sol Vega", **more: str) -> str:
    """Wes invites somebody as a biller until November 2027; return the invitation's id."""
    form = {
        "name": name,
        "bundle": "biller",
        "end": "date",
        "until": "11/30/2027",
        "email": "sol@clinic.example",
        **more,
    }
    managed.as_("wes").get(f"{managed.here}/people/new").submit("Make the invitation link", **form)
    return str(managed.one("SELECT id FROM invitation WHERE display_name = :n ORDER BY created_at DESC", n=name))


def opened(managed: Managed, invitation: str, by: str = "wes") -> Browser:
    return managed.as_(by).get(f"{managed.here}/invitations/{invitation}")


def link_of(page: Browser) -> str:
    return page.response.text.split("/invitations/")[1].split('"')[0]


def test_w3_an_open_invitation_tells_what_it_gives_until_when_and_in_which_line(managed: Managed) -> None:
    invited(managed)
    people = managed.as_("wes").get(f"{managed.here}/people")
    assert "Biller, until Nov 30, 2027" in people.text
    page = people.click("Sol Vega")
    for words in ("Biller, until Nov 30, 2027", "Medical", "s...@clinic.example", "Wes Kane", "Link works until"):
        assert words in page.text, words
    assert "Claim status" in page.text
    assert "sol@" not in page.text


def test_w3_sent_again_it_has_a_new_link_gives_the_same_and_the_old_link_is_dead(managed: Managed) -> None:
    old = invited(managed)
    with transaction(managed.world.database) as db:
        before = invitations.offer_of(db, old).invitation
    page = opened(managed, old, "mia")
    form = page.form("Send again with a new link")
    again = page.submit("Send again with a new link")
    assert "The link sent before no longer works." in again.text
    assert "Biller, until Nov 30, 2027" in again.text
    with transaction(managed.world.database) as db:
        new = invitations.look_up(db, link_of(again)).invitation
        same = ("display_name", "email", "line", "capacity", "bundle", "access_ends_at", "provider_id")
        assert all(getattr(new, name) == getattr(before, name) for name in same)
        assert new.invited_by == managed.world.people["mia"]
        with pytest.raises(invitations.InvitationLost, match="withdrawn"):
            accepting.accept(db, old)
    assert managed.mails("invitation") == 2
    assert managed.events("registration.invitation.ended") == 1
    repeated = again.post(f"{managed.here}/invitations/{old}/again", dict(form.fields), origin=managed.settings.issuer)
    assert "made already" in repeated.text
    assert managed.one("SELECT count(*) FROM invitation") == 2


def test_w3_taken_back_it_leads_nowhere_and_is_recorded_once(managed: Managed) -> None:
    invitation = invited(managed)
    page = opened(managed, invitation)
    second = opened(managed, invitation, "mia")
    done = page.submit("Take the invitation back")
    assert "Taken back" in done.text
    assert "Sol Vega" not in managed.as_("wes").get(f"{managed.here}/people").text
    late = second.submit("Take the invitation back")
    assert late.status == 409
    assert "withdrawn already" in late.text
    assert opened(managed, invitation).status == 200
    assert managed.events("registration.invitation.ended") == 1
    with transaction(managed.world.database) as db, pytest.raises(invitations.InvitationLost, match="withdrawn"):
        accepting.accept(db, invitation)


def test_security_64_of_taking_up_and_taking_back_in_one_moment_one_wins(managed: Managed) -> None:
    """Each begins from an open invitation; whoever writes second finds it gone, and undoes what they did."""
    for number in range(3):
        invitation = invited(managed, f"Sol {number}")
        together, answers = threading.Barrier(2), []

        def act(kind: str, one: str, gate: threading.Barrier, said: list[str]) -> None:
            gate.wait()
            try:
                with transaction(managed.world.database) as db:
                    if kind == "taken":
                        accepting.accept(db, one)
                    else:
                        invitations.withdraw(db, one, by=managed.world.wes)
                said.append(kind)
            except Refused:
                pass

        threads = [
            threading.Thread(target=act, args=(kind, invitation, together, answers)) for kind in ("taken", "back")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(answers) == 1, answers
        taken = managed.one("SELECT count(*) FROM account WHERE display_name = :n", n=f"Sol {number}")
        assert taken == (answers == ["taken"])
        marks = "(spent_at IS NOT NULL) AND (ended_at IS NOT NULL)"
        assert not managed.one(f"SELECT count(*) FROM invitation WHERE {marks}")


@SQLITE
def test_security_62_another_practices_invitation_is_not_there(managed: Managed) -> None:
    invitation = invited(managed)
    harbor = f"/p/{managed.world.harbor}/invitations/{invitation}"
    otto = managed.as_("otto")
    assert otto.get(harbor).status == 404
    key = otto.get(f"/p/{managed.world.harbor}/people").form_key()
    for act in ("again", "withdraw"):
        assert otto.post(f"{harbor}/{act}", {"form_key": key, "form_id": "f" * 22}).status == 404
        foreign = f"{managed.here}/invitations/{invitation}/{act}"
        assert otto.post(foreign, {"form_key": key, "form_id": "f" * 22}).status == 404
    assert managed.one("SELECT count(*) FROM invitation WHERE ended_at IS NULL") == 1
    assert opened(managed, "inv_none").status == 404


@SQLITE
def test_security_64_who_could_not_give_it_today_can_not_send_it_again(managed: Managed) -> None:
    """The job is no longer the practice's, its last day is over, the line is not the sender's, or it was used."""
    invitation = invited(managed)
    managed.one("UPDATE invitation SET line = 'dental' RETURNING id")
    assert opened(managed, invitation).status == 404  # a line Wes does not even see
    managed.one(f"UPDATE invitation SET line = '{LINE}', access_ends_at = 1 RETURNING id")
    late = opened(managed, invitation).submit("Send again with a new link")
    assert (late.status, "The last day of this access has passed" in late.text) == (409, True)
    managed.one("UPDATE invitation SET access_ends_at = NULL RETURNING id")
    with transaction(managed.world.database) as db:
        for key in ("claim.status.view", "remit.view"):
            gate.withhold(db, managed.world.lakeside, LINE, key, by="acc_staff", reason="no contract")
    less = opened(managed, invitation).submit("Send again with a new link")
    assert "Claim status" not in less.text  # what the practice lost is not given by a new link either
    managed.one("UPDATE invitation SET bundle = 'tpa_analyst' RETURNING id")
    new = str(managed.one("SELECT id FROM invitation WHERE ended_at IS NULL"))
    barred = opened(managed, new).submit("Send again with a new link")
    assert (barred.status, "give this job any more" in barred.text) == (409, True)
    managed.one("UPDATE invitation SET bundle = 'biller' RETURNING id")
    waits = opened(managed, new)
    with transaction(managed.world.database) as db:
        accepting.accept(db, new)
    used = waits.submit("Send again with a new link")
    assert (used.status, "used already" in used.text) == (409, True)
    assert "took this invitation up" in opened(managed, new).text
    assert managed.one("SELECT count(*) FROM invitation") == 2


@SQLITE
def test_w3_an_expired_invitation_is_listed_two_weeks_and_can_be_sent_again(managed: Managed) -> None:
    invitation = invited(managed)
    with freeze_time(clock.now() + timedelta(days=2), tick=True):
        people = managed.as_("wes").get(f"{managed.here}/people")
        assert "Link expired" in people.text
        again = opened(managed, invitation).submit("Send again with a new link")
        with transaction(managed.world.database) as db:
            invitations.look_up(db, link_of(again))
    with freeze_time(clock.now() + timedelta(days=20), tick=True):
        assert "Sol Vega" not in managed.as_("wes").get(f"{managed.here}/people").text


@SQLITE
def test_w3_nobody_s_mailbox_is_filled_by_sending_again(managed: Managed) -> None:
    page = opened(managed, invited(managed))
    for _ in range(invitations.MOST_AN_HOUR - 1):
        latest = str(managed.one("SELECT id FROM invitation WHERE ended_at IS NULL"))
        page = opened(managed, latest).submit("Send again with a new link")
        assert page.status == 200
    latest = str(managed.one("SELECT id FROM invitation WHERE ended_at IS NULL"))
    page = opened(managed, latest).submit("Send again with a new link")
    assert page.status == 429
    assert managed.mails("invitation") == invitations.MOST_AN_HOUR
    assert managed.one("SELECT id FROM invitation WHERE ended_at IS NULL") == latest  # what was sent last still works
    with freeze_time(clock.now() + timedelta(minutes=61)):
        assert opened(managed, latest).submit("Send again with a new link").status == 200


def test_w3_a_misspelt_name_is_mended_with_the_same_link_and_stands_in_the_log(managed: Managed) -> None:
    page = managed.as_("wes").get(f"{managed.here}/people/new").submit("Make the invitation link", name="Soll Vega")
    link = link_of(page)
    invitation = str(managed.one("SELECT id FROM invitation"))
    page = opened(managed, invitation, "mia").submit("Save what I mended", name="Sol  Vega")
    assert "Invitation for Sol Vega" in page.text
    with transaction(managed.world.database) as db:
        assert invitations.look_up(db, link).invitation.display_name == "Sol Vega"
    assert managed.events("registration.invitation.mended") == 1
    assert opened(managed, invitation).submit("Save what I mended", name=" ").status == 422
    opened(managed, invitation).submit("Save what I mended", name="Sol Vega")
    assert managed.events("registration.invitation.mended") == 1  # nothing was mended
    page = opened(managed, invitation)
    opened(managed, invitation).submit("Take the invitation back")
    assert page.submit("Save what I mended", name="Sol Vegas").status == 409
    assert managed.one("SELECT display_name FROM invitation") == "Sol Vega"


def test_w3_a_mended_address_gets_a_new_link_and_the_old_link_stops_at_once(managed: Managed) -> None:
    old = invited(managed)
    with transaction(managed.world.database) as db:
        before = invitations.offer_of(db, old).invitation
    again = opened(managed, old, "mia").submit("Save what I mended", name="Sol Vega", email="Sol.Vega@clinic.example")
    assert "The link sent before no longer works." in again.text
    with transaction(managed.world.database) as db:
        new = invitations.look_up(db, link_of(again)).invitation
        same = ("display_name", "line", "capacity", "bundle", "access_ends_at", "provider_id")
        assert all(getattr(new, name) == getattr(before, name) for name in same)
        assert new.email == "sol.vega@clinic.example"
        with pytest.raises(invitations.InvitationLost, match="withdrawn"):
            accepting.accept(db, old)
    assert managed.mails("invitation") == 2
    assert managed.events("registration.invitation.ended") == 1
    kept = opened(managed, new.id).submit("Save what I mended", name="Sol Vega", email="SOL.VEGA@clinic.example")
    assert kept.path.endswith(new.id)  # the same address in other letters: the link goes on
    assert opened(managed, new.id).submit("Save what I mended", name="Sol Vega", email="no address").status == 422
    with transaction(managed.world.database) as db:
        assert invitations.offer_of(db, new.id).invitation.id == new.id


@SQLITE
def test_security_62_nobody_else_mends_an_invitation(managed: Managed) -> None:
    invitation = invited(managed)
    form = dict(opened(managed, invitation).form("Save what I mended").fields) | {"name": "Eve"}
    at = f"/invitations/{invitation}/mend"
    for name, where, status in (
        ("otto", f"{managed.here}{at}", 404),
        ("otto", f"/p/{managed.world.harbor}{at}", 404),
        ("finn", f"{managed.here}{at}", 403),
    ):
        browser = managed.as_(name).get("/account/logins")
        key = dict(browser.page.forms[0].fields)["form_key"]
        sent = browser.post(where, form | {"form_key": key}, origin=managed.settings.issuer)
        assert sent.status == status
    assert managed.one("SELECT display_name FROM invitation") == "Sol Vega"
