"""Trust communities in the applied file and by command: recorded, compared, exported, closed; our key stays sealed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from idp.apply.export import export
from idp.apply.run import apply_file
from idp.database import Database, transaction
from idp.federation.tables import TrustCommunity, Upstream
from tests.cli.conftest import Result
from tests.fakes.upstreams.udap import Authority

US = "https://accounts.meridian.example"
FILE = """
partners:
  - {ref: exchange, id: ptr_exchange, name: Health Exchange, kind: affiliate, status: active}
communities:
  - ref: exchange
    id: tcm_exchange
    partner: exchange
    name: Health Exchange
    anchors: file:roots.pem
    certificates: file:ours.pem
    private_key: file:ours.key
    acr_map: {"urn:two": aal2}
"""
on_one_engine = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def file(folder: Path) -> Path:
    """The file and what it names."""
    root = Authority()
    certificate, key = root.certify(US)
    for name, text in (("roots.pem", root.pem), ("ours.pem", certificate), ("ours.key", key)):
        (folder / name).write_text(text)
    (folder / "another.key").write_text(root.certify(US)[1])
    made = folder / "community.yaml"
    made.write_text(FILE)
    return made


def test_pm_a_community_is_applied_once_exported_without_its_key_and_applied_again(
    ready: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "exchange" in apply_file(ready, file).text()
    assert apply_file(ready, file).text() == "nothing differs"
    with transaction(ready) as db:
        row = db.get(TrustCommunity, "tcm_exchange")
        assert row is not None
        assert row.acr_map == {"urn:two": "http://idmanagement.gov/ns/assurance/aal/2"}
        found = {
            "id": "ups_found",
            "partner_id": "ptr_exchange",
            "display_name": "Harbor",
            "issuer": "https://h.example",
        }
        facts = {"auth_method": "private_key_jwt", "scopes": ["openid"], "algorithms": ["ES256"], "acr_map": {}}
        db.add(Upstream(**found, **facts, client_id="c", domains=[], community_id=row.id))
    text = export(ready)
    assert "PRIVATE" not in text
    assert "private_key: env:IDP_COMMUNITY_KEY_EXCHANGE" in text
    assert "https://h.example" not in text  # what a community vouched for is found there again
    again = file.with_name("exported.yaml")
    again.write_text(text)
    told = apply_file(ready, again)
    assert "its key stays" in told.text()
    monkeypatch.setenv("IDP_COMMUNITY_KEY_EXCHANGE", (file.parent / "ours.key").read_text())
    assert apply_file(ready, again).text() == "nothing differs"
    file.write_text(FILE + "    status: disabled\n")
    assert "status" in apply_file(ready, file).text()
    with transaction(ready) as db:
        closed = db.get(Upstream, "ups_found")
        assert closed is not None
        assert closed.status == "disabled"


@on_one_engine
@pytest.mark.parametrize(
    ("instead", "sentence"),
    [
        (("anchors: file:roots.pem", "anchors: nonsense"), "PEM certificates or file:NAME"),
        (("file:roots.pem", "file:missing.pem"), "cannot be read"),
        (("file:roots.pem", "file:ours.key"), "anchors: Give PEM certificates"),
        (("file:ours.key", "file:another.key"), "private_key: Give the key of the first certificate"),
        (("partner: exchange", "partner: nobody"), "nothing in `partners`"),
        (("aal2}", "aal9}"), "acr_map"),
        (("name: Health Exchange\n    anchors", "anchors"), "name: is missing"),
    ],
)
def test_a_community_that_cannot_work_is_refused_with_its_line(
    ready: Database, file: Path, idp: Callable[..., Result], instead: tuple[str, str], sentence: str
) -> None:
    file.write_text(FILE.replace(*instead))
    result = idp("apply", str(file))
    assert result.exit_code == 1
    assert sentence in result.output
    assert "community.yaml:" in result.output
    assert "PRIVATE" not in result.output


@on_one_engine
def test_a_community_is_recorded_and_closed_by_command(ready: Database, file: Path, idp: Callable[..., Result]) -> None:
    apply_file(ready, file)
    pem = {name: str(file.parent / f"{name}.pem") for name in ("roots", "ours")}
    given = ("--name", "Other", "--anchors", pem["roots"], "--certificates", pem["ours"])
    made = idp("community", "add", "ptr_exchange", *given, "--key", str(file.parent / "ours.key"))
    assert (made.exit_code, made.output.endswith("is recorded.\n")) == (0, True)
    wrong = idp("community", "add", "ptr_exchange", *given, "--key", str(file.parent / "another.key"))
    assert (wrong.exit_code, "Give the key of the first certificate" in wrong.output) == (1, True)
    assert "There is no such partner" in idp("community", "add", "ptr_none", *given, "--key", pem["ours"]).output
    assert idp("community", "add", "ptr_exchange", *given, "--key", "/nowhere/ours.key").exit_code == 2
    closed = idp("community", "disable", made.output.split()[0])
    assert (closed.exit_code, "is closed" in closed.output) == (0, True)
    unknown = idp("community", "disable", "tcm_none")
    assert (unknown.exit_code, unknown.output) == (1, "idp: There is no such community.\n")
