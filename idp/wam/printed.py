"""Evidence as a document people read: the one module that makes PDFs; its library is loaded when one is asked for.

The standard fonts know Western European letters. A name with others is told by the line of the attached, signed file
that has it as it is, after its letters without marks where that says anything: two names never look the same, and
nothing stands for a letter that is not that letter.
"""

import unicodedata
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

ANSWERS = {
    "keep": "Keep",
    "change": "Changed",
    "remove": "Remove",
    "nothing_held": "Held nothing",
    "not_answered_only_manager": "Not answered: the only access manager",
    "ended_unanswered": "Ended: nobody kept it in time",
}
LINES = {
    "medical": "Medical",
    "behavioural": "Behavioral health",
    "dental": "Dental",
    "medicare_advantage": "Medicare Advantage",
}
ATTACHED = "evidence.json"
_SAME = str.maketrans({"\u2019": "'", "\u2013": "-", "\u2014": "-"})
"""What the fonts lack and reads the same."""


def pdf(pack: dict[str, Any], signed: bytes, *, by: str, at: datetime, zone: str) -> bytes:
    """Return the document of a pack, with the signed file attached inside; says who printed it, when, which page."""
    from fpdf import FPDF
    from fpdf.fonts import FontFace

    plain = Letters(signed).plain
    told = f"Printed by {plain(by)}, {_when(at, zone)}"

    class Document(FPDF):
        def footer(self) -> None:
            self.set_y(-14)
            self.set_font("helvetica", size=8)
            self.cell(0, 6, f"{told}, page {self.page_no()} of {{nb}}. Review {pack['review']}", align="C")

    document = Document(format="letter")
    document.set_lang("en-US")
    document.set_title(plain(f"Access review of {pack['practice']['name']}"))
    document.set_creation_date(at)
    document.alias_nb_pages()
    document.set_auto_page_break(True, margin=18)
    document.embed_file(bytes=signed, basename=ATTACHED, mime_type="application/json", compress=True)
    document.add_page()
    document.set_font("helvetica", style="B", size=16)
    document.start_section("Access review")
    document.multi_cell(0, 9, plain(f"Access review of {pack['practice']['name']}"), new_x="LMARGIN", new_y="NEXT")
    document.set_font("helvetica", size=10)
    for line in _facts(pack, zone, plain):
        document.multi_cell(0, 5.5, line, new_x="LMARGIN", new_y="NEXT")
    _heading(document, "Answers", plain)
    with document.table(col_widths=(30, 30, 28, 12), headings_style=FontFace(emphasis="BOLD")) as table:
        for row in [("Name", "Answer", "Answered by", "Functions"), *_answers(pack, zone, plain)]:
            table.row(row)
    for person in pack["people"]:
        name = plain(person["name"])
        for title, widths, rows in (
            ("held when the review began", (40, 22, 20, 18), before(person, zone, plain)),
            ("held at its end", (36, 16, 18, 20, 14), held(person, zone, plain)),
        ):
            if len(rows) > 1:
                _heading(document, f"{name}: {title}", plain)
                with document.table(col_widths=widths, headings_style=FontFace(emphasis="BOLD")) as table:
                    for row in rows:
                        table.row(row)
    _heading(document, "How to check this document", plain)
    document.multi_cell(
        0,
        5.5,
        f"The file {ATTACHED} is attached to this document and signed. Save it, get the public key from "
        f"{pack['issuer']}/evidence/key.pem, and run: idp audit evidence {ATTACHED} --key key.pem. "
        f"Where a name stands as [{ATTACHED}, line 7], its letters are not in this document's font: that line has it.",
        new_x="LMARGIN",
        new_y="NEXT",
    )
    return bytes(document.output())


class Letters:
    """How texts are printed, beside the signed file that has them as they are."""

    def __init__(self, signed: bytes) -> None:
        self._line: dict[str, int] = {}
        for number, line in enumerate(signed.split(b"\n"), 1):
            value = line.strip().rstrip(b",").rpartition(b'": ')[2]
            if value.startswith(b'"'):
                self._line.setdefault(orjson.loads(value), number)

    def plain(self, text: str) -> str:
        """Return a text in letters the standard fonts have; where it has others, also where or what it really is."""
        said = text.translate(_SAME)
        if all(letter.isprintable() and letter.encode("latin-1", "ignore") for letter in said):
            return said
        bare = [unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() for letter in said]
        shown = "".join(bare) if all(bare) and all(letter.isprintable() for letter in said) else ""
        line = self._line.get(text)
        if line is not None:
            exact = f"[{ATTACHED}, line {line}]"
        else:
            exact = text.encode("unicode_escape").decode()
            exact = f"({exact})" if shown else exact
        return f"{shown} {exact}" if shown else exact


def _heading(document: Any, words: str, plain: Callable[[str], str]) -> None:
    document.ln(4)
    document.set_font("helvetica", style="B", size=12)
    document.start_section(plain(words), level=1)
    document.multi_cell(0, 8, plain(words), new_x="LMARGIN", new_y="NEXT")
    document.set_font("helvetica", size=9)


def _facts(pack: dict[str, Any], zone: str, plain: Callable[[str], str]) -> list[str]:
    counts = pack["counts"]
    kind = "What a former access manager gave" if pack["kind"] == "succession" else "Who has what"
    opened, due = _day(pack["opened_at"], zone), _day(pack["due_at"], zone)
    lines = [f"{kind}, {LINES.get(pack['line'], pack['line'])}. Opened {opened}, answers were due {due}."]
    if pack["signed_by"]:
        lines.append(
            f"Signed {_day(pack['signed_at'], zone, exact=True)} by {plain(pack['signed_by']['name'])}: "
            f"{counts.get('keep', 0)} kept, {counts.get('change', 0)} changed, {counts.get('remove', 0)} removed."
        )
        if pack.get("signed_words"):
            lines.append(f'Signed with these words: "{plain(pack["signed_words"])}"')
    else:
        lines.append(f"Nobody signed in time. The paused access of {counts.get('ended', 0)} people ended.")
    return lines


def _answers(pack: dict[str, Any], zone: str, plain: Callable[[str], str]) -> Sequence[tuple[str, ...]]:
    return [
        (
            plain(person["name"]),
            ANSWERS[person["answer"]] + (" (had been paused)" if person["was_paused"] else ""),
            f"{plain(person['answered_by']['name'])}, {_day(person['answered_at'], zone)}"
            if person["answered_by"]
            else "",
            str(len(person["held"])),
        )
        for person in pack["people"]
    ]


def held(person: dict[str, Any], zone: str, plain: Callable[[str], str]) -> Sequence[tuple[str, ...]]:
    """Return what a person held when the review was signed or over, as a table with its heading."""
    return [("Function", "Since", "Until", "Given by", "Record")] + [
        (
            plain(one["name"]),
            _day(one["since"], zone),
            _last_day(one["until"], zone) if one["until"] else "no end date",
            plain(one["given_by"]["name"]) if one["given_by"] else "",
            f"...{one['grant'][-8:]}",
        )
        for one in person["held"]
    ]


def before(person: dict[str, Any], zone: str, plain: Callable[[str], str]) -> Sequence[tuple[str, ...]]:
    """Return what a person whose access was changed held when the review began, with what became of it."""
    now = {one["grant"]: one for one in person["held"]}
    kept = {one["function"] for one in person["held"]}
    rows = [("Function", "Until then", "Record", "Since then")]
    for one in person.get("before", []):
        became = "as it was" if one["grant"] in now else "changed" if one["function"] in kept else "taken away since"
        until = f"until {_last_day(one['until'], zone)}" if one["until"] else "no end date"
        rows.append((plain(one["name"]), until, f"...{one['grant'][-8:]}", became))
    return rows


def _last_day(end: str, zone: str) -> str:
    """Return the last day of what ends at a moment: an end of midnight is the day before (ui.md 4.7)."""
    return _day((datetime.fromisoformat(end) - timedelta(microseconds=1)).isoformat(), zone)


def _day(moment: str, zone: str, *, exact: bool = False) -> str:
    local = datetime.fromisoformat(moment).astimezone(ZoneInfo(zone))
    return _when(local, zone) if exact else f"{local:%b} {local.day}, {local.year}"


def _when(moment: datetime, zone: str) -> str:
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local:%b} {local.day}, {local.year}, {local:%I:%M:%S %p %Z}"
