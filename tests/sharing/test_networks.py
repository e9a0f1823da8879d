"""The operator's file of networks: strictly read, the narrowest range wins, and addresses stay out of what is kept."""

from pathlib import Path

import pytest

from idp.database import Database
from idp.sharing.live.networks import File, load, name_of
from idp.sharing.reading import Unreadable

CHICAGO = '{"network": "203.0.113.0/24", "latitude": 41.9, "longitude": -87.6, "use": "fixed"}'
DESK = '{"network": "203.0.113.8/30", "latitude": 41.8, "longitude": -87.7}'
SIX = '{"network": "2001:db8::/32", "use": "vpn"}'


def written(folder: Path, *lines: str) -> Path:
    file = folder / "networks.jsonl"
    file.write_text("\n".join(lines))
    return file


def test_the_narrowest_range_wins_and_other_addresses_have_no_place(tmp_path: Path) -> None:
    found = load(written(tmp_path, CHICAGO, DESK, SIX))
    lines = {address: found.find(address) for address in ADDRESSES}
    assert {address: line.network if line else None for address, line in lines.items()} == ADDRESSES


ADDRESSES = {
    "203.0.113.9": "203.0.113.8/30",
    "203.0.113.77": "203.0.113.0/24",
    "::ffff:203.0.113.9": "203.0.113.8/30",
    "2001:db8:5::1": "2001:db8::/32",
    "198.51.100.1": None,
    "2001:db9::1": None,
    "not an address": None,
}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"network": "203.0.113.9/24"}', "field network: not a range"),
        ('{"network": "nowhere"}', "field network: not a range"),
        ('{"network": "203.0.113.0/24", "latitude": 91.0, "longitude": 0.0}', "field latitude"),
        ('{"network": "203.0.113.0/24", "latitude": 41.0}', "both coordinates"),
        ('{"network": "203.0.113.0/24", "use": "cafe"}', "field use"),
        ('{"network": "203.0.113.0/24", "city": "Chicago"}', "field city"),
        ("{", "not JSON"),
        (CHICAGO, "described before"),
    ],
)
def test_a_wrong_line_is_named_with_its_field(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(Unreadable, match=r"line 2.*" + says):
        load(written(tmp_path, CHICAGO, line))


def test_a_file_that_breaks_later_leaves_what_was_known_and_says_so(tmp_path: Path) -> None:
    file = File(written(tmp_path, CHICAGO))
    assert file.current().find("203.0.113.9") is not None
    written(tmp_path, CHICAGO, "{")
    assert file.current().find("203.0.113.9") is not None
    assert "line 2" in file.problem
    written(tmp_path, CHICAGO, DESK)
    assert file.current().named("203.0.113.8/30") is not None
    assert file.problem == ""


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_neighbors_share_a_name_that_no_address_stands_in(database: Database) -> None:
    names = {name_of(database.ring, address, None) for address in ("198.51.100.7", "198.51.100.200", "198.51.101.7")}
    assert len(names) == 2
    assert not any("198" in name for name in names)
