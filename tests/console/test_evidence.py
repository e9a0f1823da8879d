"""W-7: the evidence of a review, as a document and as data, is genuine years later and betrays every change."""

import re
import zlib
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from freezegun import freeze_time
from typer.testing import CliRunner

from idp import clock
from idp.audit import checkpoint
from idp.cli.app import app
from idp.database import transaction
from idp.wam import evidence, printed, review_calendar, reviews
from idp.wam.tables import Review
from tests.console.conftest import Api
from tests.wam import acts
from tests.wam.world import LINE

SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def signed_review(api: Api) -> str:
    checkpoint.make_key(api.settings.audit_key_file)
    world = api.world
    with transaction(world.database) as db:
        made = reviews.open_review(db, world.lakeside, LINE, [world.finn], due_at=clock.now() + timedelta(days=40))
        assert made is not None
        reviews.answer(db, made, {world.finn: "remove"}, by=world.mia)
        reviews.sign(db, made, by=world.wes, word=True)
        return made.id


def text_of(pdf: bytes) -> str:
    """The words of a document, as they stand in its pages."""
    pages = [zlib.decompress(one) for one in re.findall(rb"stream\r?\n(x.*?)\r?\nendstream", pdf, re.DOTALL)]
    return " ".join(re.findall(r"\((.*?)(?<!\\)\) Tj", b" ".join(pages).decode("latin-1")))


@SQLITE
def test_w7_the_evidence_says_until_when_what_is_kept_lasts_and_the_words_that_were_signed(api: Api) -> None:
    checkpoint.make_key(api.settings.audit_key_file)
    wes = api.as_("wes").get(f"{api.here}/people/{api.world.mia}/change/check?f=remit.view&end=date&until=12/31/2099")
    wes.submit("Confirm", reason="until then")
    with transaction(api.world.database) as db:
        due = clock.now() + timedelta(days=40)
        made = reviews.open_review(db, api.world.lakeside, LINE, [api.world.mia, api.world.finn], due_at=due)
        assert made is not None
        reviews.answer(db, made, {api.world.finn: "keep"}, by=api.world.mia)
        reviews.answer(db, made, {api.world.mia: "keep"}, by=api.world.wes)
        reviews.sign(db, made, by=api.world.wes, word=True)
        review = made.id
    wes.get(f"{api.here}/reviews/{review}")
    words = "I looked at each person. What is kept, they need for their work."
    assert words in wes.text
    pack = orjson.loads(wes.get(f"{api.here}/reviews/{review}/evidence.json").response.content)["pack"]
    held = {one["name"]: one["held"] for one in pack["people"]}
    assert pack["signed_words"] == words
    assert {one["until"] for one in held["Finn Oakes"]} == {None}
    assert [one["until"][:10] for one in held["Mia Ode"]] == ["2100-01-01"]
    printed_text = text_of(wes.get(f"{api.here}/reviews/{review}/evidence.pdf").response.content)
    assert words in printed_text
    assert "Dec 31, 2099" in printed_text
    assert "no end date" in printed_text


def attached(pdf: bytes) -> bytes:
    """The file inside a document, as any reader of PDFs finds it."""
    found = re.search(rb"/Type /EmbeddedFile.*?stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    assert found is not None
    return zlib.decompress(found[1])


def checked(file: Path, key: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["audit", "evidence", str(file), "--key", str(key)])
    return result.exit_code, result.output


@SQLITE
def test_w7_the_evidence_is_a_document_with_the_signed_data_inside_and_is_checked_without_us(
    api: Api, tmp_path: Path
) -> None:
    review = signed_review(api)
    wes = api.as_("wes").get(f"{api.here}/reviews/{review}").click("Signed evidence, for print")
    pdf = wes.response.content
    assert pdf.startswith(b"%PDF-")
    assert wes.response.headers["content-type"] == "application/pdf"
    data = wes.get(f"{api.here}/reviews/{review}/evidence.json").response.content
    assert attached(pdf) == data
    pack = orjson.loads(data)["pack"]
    assert (pack["signed_by"]["name"], pack["counts"]) == ("Wes Kane", {"keep": 0, "change": 0, "remove": 1})
    assert [(one["name"], one["answer"], one["answered_by"]["name"]) for one in pack["people"]] == [
        ("Finn Oakes", "remove", "Mia Ode")
    ]
    assert len(pack["people"][0]["held"]) == 6
    key, file = tmp_path / "key.pem", tmp_path / "evidence.json"
    key.write_bytes(api.as_("hana").get("/evidence/key.pem").response.content)
    file.write_bytes(data)
    code, said = checked(file, key)
    assert (code, "Genuine" in said, "Wes Kane" in said) == (0, True, True)
    assert api.events("wam.report.exported") == 2


@SQLITE
def test_w7_a_changed_answer_a_foreign_key_and_a_file_that_is_none_are_told_apart_from_the_genuine(
    api: Api, tmp_path: Path
) -> None:
    review = signed_review(api)
    data = api.as_("wes").get(f"{api.here}/reviews/{review}/evidence.json").response.content
    key, other = Path(f"{api.settings.audit_key_file}.pub"), tmp_path / "other"
    checkpoint.make_key(other)
    for changed, whose in (
        (data.replace(b'"remove"', b'"keep"'), key),
        (data.replace(b"Wes Kane", b"Mia Ode"), key),
        (data, Path(f"{other}.pub")),
        (b"{}", key),
        (b"nonsense", key),
    ):
        file = tmp_path / "changed.json"
        file.write_bytes(changed)
        assert checked(file, whose)[0] == 1


@SQLITE
def test_w7_evidence_exists_for_a_review_that_is_over_and_for_its_practice_alone(api: Api) -> None:
    review = signed_review(api)
    assert api.as_("otto").get(f"/p/{api.world.harbor}/reviews/{review}/evidence.pdf").status == 404
    assert api.as_("otto").get(f"{api.here}/reviews/{review}/evidence.json").status == 404
    with transaction(api.world.database) as db:
        due = clock.now() + timedelta(days=40)
        made = reviews.open_review(db, api.world.lakeside, LINE, [api.world.finn], due_at=due)
        assert made is not None
        under_way = made.id
    assert api.as_("wes").get(f"{api.here}/reviews/{under_way}/evidence.json").status == 409


def test_a_name_in_any_script_is_printed_and_many_pages_are_numbered() -> None:
    person = {
        "account": "acc_x", "name": "Łukasz Đặng 李", "answer": "keep", "answered_by": None, "answered_at": None,
        "was_paused": True, "held": [],
    }  # fmt: skip
    moment = clock.iso(clock.now())
    pack = {
        "issuer": "https://idp.example", "review": "rvw_x", "practice": {"id": "prv_x", "name": "Clínica Söder"},
        "line": LINE, "kind": "regular", "status": "signed", "opened_at": moment, "due_at": moment, "signed_at": moment,
        "signed_by": {"account": "acc_y", "name": "Ana"}, "counts": {"keep": 120}, "people": [person] * 120,
    }  # fmt: skip
    made = printed.pdf(pack, b"{}", by="Wes", at=clock.now(), zone="America/Chicago")
    assert len(re.findall(rb"/Type /Page\b", made)) >= 3
    assert b"/Lang (en-US)" in made


def test_nothing_of_a_name_is_lost_in_print_what_has_no_letters_there_names_its_line_of_the_signed_file() -> None:
    data = {"people": [{"name": "Đặng Łukasz 李"}, {"name": "Wei 王"}, {"name": "José Müller"}, {"name": "Zoë Novák"}]}
    signed = orjson.dumps(data, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
    at = {one["name"]: number for number, line in enumerate(signed.decode().split("\n"), 1)
          for one in data["people"] if one["name"] in line}  # fmt: skip
    letters = printed.Letters(signed)
    assert letters.plain("José Müller") == "José Müller"
    assert letters.plain("Zoë Novák") == "Zoë Novák"
    assert letters.plain("Đặng Łukasz 李") == f"[evidence.json, line {at['Đặng Łukasz 李']}]"
    assert letters.plain("Wei 王") != letters.plain("Đặng Łukasz 李")
    assert letters.plain("Nguyễn") == "Nguyen (Nguy\\u1ec5n)", "who prints is not in the file: every letter is told"
    assert "?" not in letters.plain("王\u202e\x00")


@SQLITE
def test_w7_the_evidence_says_what_somebody_held_before_the_change_and_what_ended_unanswered(api: Api) -> None:
    checkpoint.make_key(api.settings.audit_key_file)
    world, now = api.world, clock.now()
    with transaction(world.database) as db:
        made = reviews.open_review(db, world.lakeside, LINE, [world.finn], due_at=now + timedelta(days=40))
        assert made is not None
    acts.remove(world, world.mia, world.finn, function="idcard.view")
    with transaction(world.database) as db:
        review = db.get_one(Review, made.id)
        reviews.answer(db, review, {world.finn: "change"}, by=world.mia)
        reviews.sign(db, review, by=world.wes, word=True)
    wes = api.as_("wes")
    [finn] = orjson.loads(wes.get(f"{api.here}/reviews/{made.id}/evidence.json").response.content)["pack"]["people"]
    before, after = ({one["function"] for one in finn[part]} for part in ("before", "held"))
    assert before - after == {"idcard.view"}
    assert {"name", "until", "grant"} <= finn["before"][0].keys()
    lines = printed.before(finn, "America/Chicago", lambda text: text)
    assert [row[-1] for row in lines if row[-1] == "taken away since"] == ["taken away since"]
    with transaction(world.database) as db:
        late = reviews.open_review(db, world.lakeside, LINE, [world.ana, world.finn], due_at=now + timedelta(days=40))
        assert late is not None
    for days, step in ((41, review_calendar.miss), (80, review_calendar.finish)):
        with freeze_time(now + timedelta(days=days)), transaction(world.database) as db:
            step(db)
    with transaction(world.database) as db:
        over = db.get_one(Review, late.id)
        assert over.status == "ended"
        pack = evidence.made(db, over)["pack"]
        assert {one["function"] for one in pack["people"][0]["held"]} == after
        people = [{**one, "grants": [row["grant"] for row in one["grants"]]} for one in over.report["people"]]
        over.report = {**over.report, "people": people}  # as older versions stored it: ids alone
        assert {one["function"] for one in evidence.made(db, over)["pack"]["people"][0]["held"]} == after
