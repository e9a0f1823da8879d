"""What a hostile upstream says of a person is shown as plain words of bounded length, or not at all."""

import pytest

from idp.federation.facts import EMAIL, NAME, plain


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Ana Ruiz", "Ana Ruiz"),
        ("Ana\nRuiz\x00\x1b[31m", "Ana Ruiz [31m"),
        ("\u202eziuR anA", "ziuR anA"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("x" * 100_000, "x" * NAME),
        (" \u2066 \r\n ", None),
        ("", None),
        (["Ana"], None),
        ({"a": 1}, None),
        (7, None),
        (None, None),
    ],
)
def test_security_82_a_name_from_outside_is_printable_and_bounded(said: object, shown: str | None) -> None:
    assert plain({"name": said}).get("name") == shown


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("ana@lakeside.example", True),
        ("ana@lakeside.example\r\nBcc: x@evil.example", False),
        ("ana\u202e@lakeside.example", False),
        ("ana @lakeside.example", False),
        ("a" * EMAIL + "@lakeside.example", False),
        ("lakeside.example", False),
        ("@lakeside.example", False),
        (True, False),
        (None, False),
    ],
)
def test_security_28_an_address_from_outside_is_taken_whole_or_not_at_all(said: object, kept: bool) -> None:
    shown = plain({"email": said, "email_verified": True})
    assert shown == ({"email": said, "email_verified": True} if kept else {})


@pytest.mark.parametrize("verified", ["true", 1, None, [True]])
def test_security_28_verified_is_a_yes_or_no_and_nothing_like_it(verified: object) -> None:
    assert plain({"email": "ana@lakeside.example", "email_verified": verified}) == {"email": "ana@lakeside.example"}
