"""Write a file in the layout of the public NPPES file: made-up people and organizations, the same every time."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from idp.providers.identifiers import luhn_sum
from idp.providers.nppes import layout

_FIRST = ("ANA", "BEN", "CARA", "DEV", "ELENA", "FARID", "GRACE", "HUGO")
_LAST = ("RUIZ", "OKAFOR", "LINDQVIST", "MARSH", "TANAKA", "NOVAK", "SILVA", "HART")
_CITIES = (("SPRINGFIELD", "IL", "62701"), ("DAYTON", "OH", "45402"), ("AUSTIN", "TX", "787013344"))


def npi(number: int) -> str:
    """Return the valid NPI of a running number."""
    nine = f"1{number:08d}"
    return nine + str(-luhn_sum("80840" + nine + "0") % 10)


def row(number: int, **cells: str) -> dict[str, str]:
    """Return row `number` as column -> cell: every fourth an organization, every fiftieth out of use."""
    city, state, code = _CITIES[number % 3]
    made = {layout.NPI: npi(number)}
    if number % 50 == 49:
        return made | {layout.DEACTIVATED: "03/14/2026"} | cells
    made |= dict(zip(layout.LOCATION, (f"{number} MAIN ST", "", city, state, code, "US", "5125550100"), strict=False))
    made |= dict(zip(layout.MAILING, (f"PO BOX {number}", "", city, state, code, "US", "5125550100"), strict=False))
    made |= {layout.ENUMERATED: "05/23/2007", layout.UPDATED: "02/01/2026"}
    code_, licence, at, primary = layout.TAXONOMIES[0]
    if number % 4 == 3:
        made |= {layout.ENTITY: "2", layout.ORGANIZATION: f"CLINIC {number} LLC", layout.EIN: "<UNAVAIL>"}
        made |= {code_: "261QP2300X", primary: "Y", layout.SUBPART: "N"}
    else:
        made |= {layout.ENTITY: "1", layout.FIRST: _FIRST[number % 8], layout.LAST: _LAST[number // 8 % 8]}
        made |= {layout.CREDENTIAL: "MD", "Provider Gender Code": "F"}
        made |= {code_: "207Q00000X", licence: f"A{number:06d}", at: state, primary: "Y"}
    return made | cells


def line(cells: Mapping[str, str]) -> str:
    """Return one line: every cell quoted, as in the public file."""
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow([cells.get(c, "") for c in layout.COLUMNS])
    return out.getvalue()


def header() -> str:
    """Return the first line."""
    return line({column: column for column in layout.COLUMNS})


def write(path: Path, rows: int) -> None:
    """Write a file of so many rows."""
    with path.open("w", encoding="utf-8") as file:
        _fill(file, (row(number) for number in range(rows)))


def _fill(file: TextIO, rows: Iterator[dict[str, str]]) -> None:
    file.write(header())
    file.writelines(line(one) for one in rows)
