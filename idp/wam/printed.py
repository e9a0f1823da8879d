"""Evidence as a document people read: the one module that makes PDFs; its library is loaded when one is asked for.

The standard fonts know Western European letters; others are shown without their marks or as "?". The attached, signed
file has every name as it is.
"""

import unicodedata
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

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


def pdf(pack: dict[str, Any], signed: bytes, *, by: str, at: datetime, zone: str) -> bytes:
    """Return the document of a pack, with the signed file attached inside; says who printed it, when, which page."""
    from fpdf import FPDF
    from fpdf.fonts import FontFace

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
    for line in _facts(pack, zone):
        document.multi_cell(0, 5.5, plain(line), new_x="LMARGIN", new_y="NEXT")
    _heading(document, "Answers")
    with document.table(col_widths=(30, 30, 28, 12), headings_style=FontFace(emphasis="BOLD")) as table:
        for row in [("Name", "Answer", "Answered by", "Functions"), *_answers(pack, zone)]:
            table.row([plain(cell) for cell in row])
    for person in pack["people"]:
        if person["held"]:
            _heading(document, f"{person['name']}: held then")
            with document.table(col_widths=(40, 18, 22, 20), headings_style=FontFace(emphasis="BOLD")) as table:
                for row in [("Function", "Since", "Given by", "Record"), *_held(person, zone)]:
                    table.row([plain(cell) for cell in row])
    _heading(document, "How to check this document")
    document.multi_cell(
        0,
        5.5,
        f"The file {ATTACHED} is attached to this document and signed. Save it, get the public key from "
        f"{pack['issuer']}/evidence/key.pem, and run: idp audit evidence {ATTACHED} --key key.pem",
        new_x="LMARGIN",
        new_y="NEXT",
    )
    return bytes(document.output())


def plain(text: str) -> str:
    """Return text in letters the standard fonts have."""
    kept = []
    for letter in text.replace("\u2019", "'").replace("\u2013", "-").replace("\u2014", "-"):
        if letter.isprintable() and letter.encode("latin-1", "ignore"):
            kept.append(letter)
        else:
            bare = unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode()
            kept.append(bare or "?")
    return "".join(kept)


def _heading(document: Any, words: str) -> None:
    document.ln(4)
    document.set_font("helvetica", style="B", size=12)
    document.start_section(plain(words), level=1)
    document.multi_cell(0, 8, plain(words), new_x="LMARGIN", new_y="NEXT")
    document.set_font("helvetica", size=9)


def _facts(pack: dict[str, Any], zone: str) -> list[str]:
    counts = pack["counts"]
    kind = "What a former access manager gave" if pack["kind"] == "succession" else "Who has what"
    opened, due = _day(pack["opened_at"], zone), _day(pack["due_at"], zone)
    lines = [f"{kind}, {LINES.get(pack['line'], pack['line'])}. Opened {opened}, answers were due {due}."]
    if pack["signed_by"]:
        lines.append(
            f"Signed {_day(pack['signed_at'], zone, exact=True)} by {pack['signed_by']['name']}: "
            f"{counts.get('keep', 0)} kept, {counts.get('change', 0)} changed, {counts.get('remove', 0)} removed."
        )
    else:
        lines.append(f"Nobody signed in time. The paused access of {counts.get('ended', 0)} people ended.")
    return lines


def _answers(pack: dict[str, Any], zone: str) -> list[tuple[str, ...]]:
    return [
        (
            person["name"],
            ANSWERS[person["answer"]] + (" (had been paused)" if person["was_paused"] else ""),
            f"{person['answered_by']['name']}, {_day(person['answered_at'], zone)}" if person["answered_by"] else "",
            str(len(person["held"])),
        )
        for person in pack["people"]
    ]


def _held(person: dict[str, Any], zone: str) -> list[tuple[str, ...]]:
    return [
        (
            one["name"],
            _day(one["since"], zone),
            one["given_by"]["name"] if one["given_by"] else "",
            f"...{one['grant'][-8:]}",
        )
        for one in person["held"]
    ]


def _day(moment: str, zone: str, *, exact: bool = False) -> str:
    local = datetime.fromisoformat(moment).astimezone(ZoneInfo(zone))
    return _when(local, zone) if exact else f"{local:%b} {local.day}, {local.year}"


def _when(moment: datetime, zone: str) -> str:
    local = moment.astimezone(ZoneInfo(zone))
    return f"{local:%b} {local.day}, {local.year}, {local:%I:%M:%S %p %Z}"
