"""Configuration as code: the same world from one file, twice, and back again."""

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select

from bench.make_world import world
from idp.accounts import local_logins, passwords, second_factor
from idp.accounts.tables import Account, Attestation, Session, TermsAcceptance
from idp.apply.export import export
from idp.apply.run import apply_file
from idp.apply.source import FileWrong
from idp.configuration import current
from idp.database import Database, transaction
from idp.entitlements.tables import Assignment, Delegation, Grant
from idp.oauth.tables import Client
from idp.providers.tables import Affiliation, PortalAccess, Provider
from tests.cli.conftest import POST_SECRET, SECRETS, Result
from tests.engines import SqliteEngine, settings_for

Run = Callable[..., Result]


def _rows(database: Database) -> dict[str, int]:
    with transaction(database) as db:
        names = [table.name for table in Account.metadata.sorted_tables]
        return {name: int(db.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one()) for name in names}


def test_one_file_describes_a_whole_world(ready: Database, folder: Path) -> None:
    apply_file(ready, folder / "world.yaml")
    with transaction(ready) as db:
        clients = {client.client_id: client for client in db.exec(select(Client))}
        assert {name: client.auth_method for name, client in clients.items()} == {
            "claims": "client_secret_basic",
            "post": "client_secret_post",
            "signer": "private_key_jwt",
            "pocket": "none",
        }
        assert clients["post"].secret_hashes == [hashlib.sha256(POST_SECRET.encode()).hexdigest()]
        assert clients["pocket"].default_line == "medicare_advantage"
        people = {person.display_name: person for person in db.exec(select(Account))}
        assert people["Ines Vega"].status == "suspended"
        found = local_logins.find(db, "Wes.Okafor")
        assert found is not None
        right, _ = passwords.verify(ready, SECRETS["WES_PASSWORD"], found[1].hash, current(db).passwords)
        assert right
        assert second_factor.has(db, people["Wes Okafor"].id)
        assert db.exec(select(Provider.tin_last4).where(Provider.name == "Lakeside Clinic")).one() == "3459"


def test_dates_in_the_past_and_the_future_are_kept_as_written(ready: Database, folder: Path) -> None:
    apply_file(ready, folder / "world.yaml")
    with transaction(ready) as db:
        closed = db.exec(select(PortalAccess).where(PortalAccess.line == "dental")).one()
        assert closed.ended_at == datetime(2025, 6, 30, tzinfo=UTC)
        ended = db.exec(select(Grant).where(Grant.entitlement == "claim.status.view")).one()
        assert (ended.not_before, ended.ended_at) == (
            datetime(2026, 2, 1, tzinfo=UTC),
            datetime(2026, 5, 1, tzinfo=UTC),
        )
        left = db.exec(select(Affiliation).where(Affiliation.end_reason == "left")).one()
        assert left.ended_at == datetime(2026, 9, 1, tzinfo=UTC)
        assert db.exec(select(Attestation.expires_at).order_by(Attestation.expires_at)).first() == datetime(
            2027, 2, 1, tzinfo=UTC
        )
        accepted = db.exec(select(TermsAcceptance.accepted_at)).all()
        assert datetime(2026, 2, 1, tzinfo=UTC) in accepted
        assert db.exec(select(Session.auth_time)).one() == datetime(2026, 3, 1, 8, tzinfo=UTC)
        assert db.exec(select(Delegation.ends_at)).one() == datetime(2027, 1, 1, tzinfo=UTC)


def test_applying_twice_changes_nothing_the_second_time(ready: Database, folder: Path) -> None:
    assert apply_file(ready, folder / "world.yaml")
    before = _rows(ready)
    again = apply_file(ready, folder / "world.yaml")
    assert again.text() == "nothing differs"
    assert _rows(ready) == before


def test_a_dry_run_tells_what_apply_then_does_and_writes_nothing(ready: Database, folder: Path) -> None:
    before = _rows(ready)
    told = apply_file(ready, folder / "world.yaml", dry_run=True).text()
    assert _rows(ready) == before
    assert apply_file(ready, folder / "world.yaml").text() == told
    assert "+ clients claims" in told


def test_a_changed_field_is_told_before_and_after(ready: Database, folder: Path) -> None:
    file = folder / "world.yaml"
    apply_file(ready, file)
    file.write_text(
        file.read_text()
        .replace("session_idle: PT20M", "session_idle: PT10M")
        .replace("name: Claims\n", "name: Claims and more\n")
        .replace("until: 2027-02-01, reason", "until: 2027-03-01, reason")
        .replace(
            "  - ref: ines\n    name: Ines Vega\n    status: suspended",
            "  - ref: ines\n    name: Ines Vega\n    status: active",
        )
    )
    told = apply_file(ready, file).text()
    assert "    clocks.session_idle: 0:20:00 -> 0:10:00" in told
    assert "    name: Claims -> Claims and more" in told
    assert "    until: 2027-02-01 -> 2027-03-01" in told
    assert "    status: suspended -> active" in told
    assert told.endswith("4 changed")
    with transaction(ready) as db:
        live = [row for row in db.exec(select(Assignment)) if row.ended_at is None]
        assert [row.ends_at for row in live] == [datetime(2027, 3, 1, tzinfo=UTC)]


def test_what_was_ended_here_is_not_given_again_by_the_file(ready: Database, folder: Path) -> None:
    from idp.entitlements import grants

    apply_file(ready, folder / "world.yaml")
    with transaction(ready) as db:
        row = db.exec(select(Grant).where(Grant.delegation_id != None)).one()  # noqa: E711
        grants.end(db, row, by="acc_wes", reason="left")
    told = apply_file(ready, folder / "world.yaml").text()
    assert "! grants viv-view: ended by acc_wes; it is not given again" in told


def test_apply_of_its_own_export_is_empty(
    ready: Database, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_file(ready, folder / "world.yaml")
    written = folder / "exported.yaml"
    written.write_text(export(ready))
    for secret in (*SECRETS.values(), POST_SECRET, "366123459"):
        assert secret not in written.read_text()
    difference = apply_file(ready, written)
    assert not difference, difference.text()
    assert all(change.kind == "kept" for change in difference.changes)


def test_an_export_makes_the_same_world_in_an_empty_database(
    ready: Database, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_file(ready, folder / "world.yaml")
    first = export(ready)
    written = folder / "exported.yaml"
    written.write_text(first)
    monkeypatch.setenv("IDP_SECRET_CLAIMS", SECRETS["CLAIMS_SECRET"])
    monkeypatch.setenv("IDP_SECRET_POST", POST_SECRET)
    monkeypatch.setenv("IDP_UPSTREAM_SECRET_EVERGREEN_LOGIN", SECRETS["EVERGREEN_SECRET"])
    monkeypatch.setenv("IDP_PASSWORD_WES", SECRETS["WES_PASSWORD"])
    monkeypatch.setenv("IDP_TOTP_WES", SECRETS["WES_TOTP"])
    monkeypatch.setenv("IDP_TIN_LAKESIDE", "366123459")
    home = tmp_path / "other"
    home.mkdir()
    with SqliteEngine(home).fresh(home) as url:
        from idp.cli.schema import bring_up

        other = Database(settings_for(url, home))
        bring_up(other)
        apply_file(other, written)
        assert export(other) == first
        other.dispose()


def test_a_mistake_anywhere_changes_nothing(ready: Database, folder: Path) -> None:
    file = folder / "world.yaml"
    file.write_text(file.read_text().replace("person: viv, provider: lakeside", "person: viv, provider: nowhere"))
    before = _rows(ready)
    with pytest.raises(FileWrong, match=r"world\.yaml:\d+: grants\[3\]\.provider: nothing in `providers` has the ref"):
        apply_file(ready, file)
    assert _rows(ready) == before


def test_toml_says_the_same_as_yaml(ready: Database, folder: Path) -> None:
    file = folder / "small.toml"
    file.write_text(
        '[settings.insurer]\nname = "Meridian"\n\n[[clients]]\nclient_id = "svc"\nname = "Service"\n'
        'secret = "env:CLAIMS_SECRET"\ngrants = ["client_credentials"]\nscopes = ["access:evaluate"]\n'
    )
    assert apply_file(ready, file).text().endswith("1 added, 1 changed")
    assert not apply_file(ready, file)


def test_many_people_are_applied_in_seconds(ready: Database, folder: Path) -> None:
    file = folder / "bench.yaml"
    file.write_text(world(200))
    began = time.process_time()
    apply_file(ready, file)
    assert time.process_time() - began < 8  # 1,000 in about 9 s on a slow, busy machine; five times fewer here
    with transaction(ready) as db:
        assert db.get(Account, "acc_bench199") is not None


def test_the_bench_world_in_the_repository_is_what_its_script_writes() -> None:
    assert (Path(__file__).parents[2] / "bench" / "bench.yaml").read_text() == world(1000)
