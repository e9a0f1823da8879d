"""W-3: no road and no crowd fills one mailbox with a practice's invitations."""

import threading

import pytest

from idp.registration import invitations
from tests.browser import Browser
from tests.flows.managing import Managed, filling, managed
from tests.flows.test_w3_open_invitations import invited, opened

__all__ = ["filling", "managed"]
ADDRESS = "sol@clinic.example"


def test_w3_a_crowd_of_invitations_in_one_moment_writes_to_one_address_five_times(managed: Managed) -> None:
    forms = [managed.as_("wes").get(f"{managed.here}/people/new") for _ in range(10)]
    together, said = threading.Barrier(len(forms)), []

    def send(page: Browser, name: str) -> None:
        together.wait()
        said.append(page.submit("Make the invitation link", name=name, email=ADDRESS).status)

    threads = [threading.Thread(target=send, args=(page, f"Sol {number}")) for number, page in enumerate(forms)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(said) == [200] * 5 + [429] * 5
    assert managed.mails("invitation") == invitations.MOST_AN_HOUR


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_w3_a_file_does_not_write_to_an_address_past_the_limit_either(managed: Managed) -> None:
    for _ in range(invitations.MOST_AN_HOUR):
        opened(managed, invited(managed)).submit("Take the invitation back")
    page = managed.as_("wes").get(f"{managed.here}/people/import")
    page.submit("Check the file", pasted=f"name,email\nSol Vega,{ADDRESS}\nNew One,new@clinic.example\n")
    assert "This address was written to too often within the hour." in page.text
    assert "Invite 2 people" not in page.text
