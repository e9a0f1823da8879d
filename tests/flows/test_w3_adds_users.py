"""W-3: people from a file: every line checked first, then all or none."""

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
    many = "name,email\n" + "".join(f"P{n},p{n}@b.example\n" for n in range(201))
    assert "at most 200 people" in checked(managed, many).text


def test_security_62_only_a_manager_of_the_practice_and_line_imports(managed: Managed) -> None:
    assert checked(managed, GOOD, "otto").status == 404
    assert checked(managed, GOOD, "ana").status in (403, 404)
    wes = managed.as_("wes").get(f"{managed.here}/people/import?line=dental")
    assert wes.status == 404
