"""A SAML login in the applied file: recorded, compared, exported, examined, and our key towards it changed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from freezegun import freeze_time

from idp.apply.export import export
from idp.apply.run import apply_file
from idp.database import Database, transaction
from idp.federation import saml_trust, upstreams
from tests.cli.conftest import Result
from tests.fakes.upstreams.saml_workshop import metadata, pair

ISSUER = "https://login.evergreen.example/saml"
FILE = f"""
partners:
  - {{ref: evergreen, name: Evergreen Health, kind: third_party, status: active}}
upstreams:
  - ref: evergreen-saml
    id: ups_saml
    kind: saml
    partner: evergreen
    display_name: Evergreen Health
    issuer: {ISSUER}
    metadata: file:evergreen.xml
    algorithms: [RS256]
    acr_map: {{"https://refeds.org/profile/mfa": aal2}}
"""
on_one_engine = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def written(folder: Path, text: str = FILE, certificate: str = "idp", days: int = 3650) -> Path:
    (folder / "evergreen.xml").write_bytes(metadata(ISSUER, pair(certificate, days=days).bare))
    file = folder / "saml.yaml"
    file.write_text(text)
    return file


def test_pm_a_saml_login_is_applied_once_and_exported_whole(
    ready: Database, folder: Path, idp: Callable[..., Result]
) -> None:
    file = written(folder)
    assert apply_file(ready, file)
    assert apply_file(ready, file).text() == "nothing differs"
    with transaction(ready) as db:
        row = upstreams.find(db, "ups_saml")
        assert row.client_id.endswith("/login/ups_saml/metadata")
        assert len(saml_trust.keys(db, "ups_saml")) == 1
    text = export(ready)
    assert "PRIVATE" not in text
    file.write_text(text)
    assert not apply_file(ready, file)
    written(folder, certificate="idp-next")
    told = apply_file(ready, file := written(folder, certificate="idp-next"))
    assert "evergreen-saml" in told.text()
    assert "metadata" in told.text()
    assert not apply_file(ready, file)


@on_one_engine
@pytest.mark.parametrize(
    ("instead", "sentence"),
    [
        ("metadata: nonsense", "file:NAME"),
        ("metadata: file:missing.xml", "cannot be read"),
        ("metadata: <x/>", "metadata"),
        ("binding: redirect", "metadata_url"),
        ("metadata_url: http://elsewhere.example/m", "https"),
        ("metadata: file:evergreen.xml\n    client_secret: env:WES_PASSWORD", "no secret"),
    ],
)
def test_a_saml_login_that_cannot_work_is_refused_with_its_line(
    ready: Database, folder: Path, idp: Callable[..., Result], instead: str, sentence: str
) -> None:
    file = written(folder, FILE.replace("metadata: file:evergreen.xml", instead))
    result = idp("apply", str(file))
    assert result.exit_code != 0
    assert sentence in result.output


@on_one_engine
def test_doctor_tells_expiring_certificates_theirs_and_ours(
    ready: Database, folder: Path, idp: Callable[..., Result]
) -> None:
    with freeze_time("2020-10-01"):
        apply_file(ready, written(folder, certificate="short", days=365))
    with freeze_time("2020-11-15"):
        assert "expires on 2020-12-31" in idp("doctor").output
    with freeze_time("2021-02-01"):
        assert "has expired: nobody signs in there" in idp("doctor").output
    with freeze_time("2023-08-15"):
        assert "Our certificate towards Evergreen Health ends on 2023-" in idp("doctor").output


@on_one_engine
def test_our_key_changes_in_two_steps(ready: Database, folder: Path, idp: Callable[..., Result]) -> None:
    apply_file(ready, written(folder))
    assert idp("keys", "saml", "ups_saml", "--rotate").exit_code != 0
    assert "stands in our metadata" in idp("keys", "saml", "ups_saml", "--next").output
    assert idp("keys", "saml", "ups_saml", "--next").exit_code != 0
    assert "signs now" in idp("keys", "saml", "ups_saml", "--rotate").output
    with transaction(ready) as db:
        assert [key.state for key in saml_trust.keys(db, "ups_saml")] == ["retiring", "active"]
    assert idp("keys", "saml", "ups_unknown", "--next").exit_code != 0
