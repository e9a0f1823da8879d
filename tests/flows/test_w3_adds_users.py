"""W-3: people from a file: every line checked first, then all or none."""

import pytest

from tests.flows.managing import Managed, filling, managed

__all__ = ["filling", "managed"]
GOOD = "name,email,works_as,job\nSol Vega,sol@clinic.example,Employee,Biller\nUma Bell,uma@clinic.example,,\n"


def checked(managed: Managed, text: str, who: str = "wes"):
    browser = managed.as_(who).get(f"{managed.here}/people/import")
    return browser.submit("Check the file", pasted=text) if browser.status == 200 else browser


def test_w3_the_dry_run_does_nothing_and_the_confirmation_invites_everybody_once(managed: Managed) -> None:
    wes = checked(managed, GOOD)
    assert "2 people will be invited" in wes.text
    assert not managed.one("SELECT count(*) FROM invitation")
    form = dict(wes.form("Invite 2 people").fields)
    wes.submit("Invite 2 people")
    assert "Sol Vega" in wes.text
    wes.post(f"{managed.here}/people/import/confirm?line=medical", form, origin=managed.settings.issuer)
    assert managed.one("SELECT count(*) FROM invitation") == 2
    assert managed.mails("invitation") == 2
    assert managed.one("SELECT bundle FROM invitation WHERE email = 'sol@clinic.example'") == "biller"
    assert managed.events("wam.people.imported") == 1


def test_w3_wrong_lines_are_named_and_nobody_is_invited(managed: Managed) -> None:
    bad = (
        "name,email,works_as,job\n"
        "Sol Vega,sol@clinic.example,,Biller\n"
        "=HYPERLINK(1),x@clinic.example,,\n"
        "Uma,not-an-address,,\n"
        "Rex,sol@clinic.example,,\n"
        "Kim,kim@clinic.example,boss,\n"
        "Lee,lee@clinic.example,,wam\n"
        "Short\n"
    )
    wes = checked(managed, bad)
    for words in ("6 of 7 lines", "formula", "Needs an e-mail", "twice in the file", "Works as:", "Job:", "1 cells"):
        assert words in wes.text, words
    fields = dict(next(one for one in wes.page.forms if "pasted" in one.names).fields)
    wes.post(f"{managed.here}/people/import/confirm?line=medical", fields, origin=managed.settings.issuer)
    assert wes.status == 422
    assert "line 3, 4, 5, 6, 7" in wes.text
    assert not managed.one("SELECT count(*) FROM invitation")


def test_w3_files_that_are_none_are_refused_with_a_sentence(managed: Managed) -> None:
    for text in ("", "name\n", "name,email,admin\nA,a@b.example,yes\n", "name,email\n", 'name,email\n"A,a@b.example\n'):
        assert checked(managed, text).status == 422, text
    many = "name,email\n" + "".join(f"P{n},p{n}@b.example\n" for n in range(2001))
    assert "at most 2,000 people" in checked(managed, many).text


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_w3_odd_files_are_read_or_told_with_their_line(managed: Managed) -> None:
    wes = managed.as_("wes")

    def sent(text: str) -> str:
        wes.get(f"{managed.here}/people/import").submit("Check the file", pasted=text)
        assert wes.status in (200, 400, 422), wes.status
        return wes.text

    assert "Ona Lee" in sent("name,email\rOna Lee,ona@clinic.example\rUma Roe,uma@clinic.example")
    assert "Ona Lee" in sent("\ufeffname,email\nOna Lee,ona@clinic.example")
    assert "in line 3 a quotation mark" in sent('name,email\nOna Lee,ona@clinic.example\n"Uma,u@clinic.example')
    assert "in line 2 a cell is longer" in sent("name,email\n" + "x" * 200_000 + ",u@clinic.example")
    assert "must name the columns" in sent("name,name,email\nOna,Ona,ona@clinic.example")
    sent("name,email\nO\x00na,ona@clinic.example")
    for day in ("0001-01-01", "12/31/9999", "02/30/2027", "99/99/99999"):
        told = sent(f"name,email,job,until\nOna,ona@clinic.example,Biller,{day}")
        assert "Until" in told or "until" in told
    assert managed.one("SELECT count(*) FROM invitation") == 0


def test_w3_a_spreadsheet_s_own_ways_of_writing_a_file_are_understood(managed: Managed) -> None:
    """A byte order mark, every kind of line end, quoted commas and empty lines."""
    lines = [
        "\ufeffName,Email,Works as,Job",
        '"Ruiz, Sol",sol@clinic.example,Employee,Biller',
        "",
        "Kim,kim@c.example,,",
    ]
    for end in ("\r\n", "\n", "\r"):
        text = checked(managed, end.join(lines) + end).text
        assert "2 people will be invited" in text, repr(end)
        assert "Ruiz, Sol" in text


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", " =1+1", "\t=1", "\uff1d1+1", '"\n=1"'])
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_owasp_a_cell_that_a_spreadsheet_would_run_stops_the_file(managed: Managed, cell: str) -> None:
    wes = checked(managed, f"name,email\n{cell},sol@clinic.example\nKim,kim@c.example\n")
    assert "1 of 2 lines have to be mended" in wes.text
    assert "formula" in wes.text


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_w3_two_thousand_people_are_looked_at_and_one_wrong_line_stops_all(managed: Managed) -> None:
    file = "name,email,works_as,job\n" + "".join(f"Person Number {n},p{n}@clinic.example,,\n" for n in range(2000))
    wes = checked(managed, file)
    assert "2000 people will be invited" in wes.text
    assert len(wes.response.content) < 500_000
    twice = checked(managed, file.replace("p1999@", "p1998@"))
    assert "1 of 2000 lines have to be mended" in twice.text
    assert not managed.one("SELECT count(*) FROM invitation")


@pytest.mark.faults
def test_w3_two_thousand_people_are_invited_in_one_transaction(managed: Managed) -> None:
    wes = checked(managed, "name,email\n" + "".join(f"Person Number {n},p{n}@clinic.example\n" for n in range(2000)))
    wes.submit("Invite 2000 people")
    assert wes.status == 200
    assert managed.one("SELECT count(*) FROM invitation") == 2000


def test_security_62_only_a_manager_of_the_practice_and_line_imports(managed: Managed) -> None:
    assert checked(managed, GOOD, "otto").status == 404
    assert checked(managed, GOOD, "ana").status in (403, 404)
    wes = managed.as_("wes").get(f"{managed.here}/people/import?line=dental")
    assert wes.status == 404
