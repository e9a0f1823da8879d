"""Mistakes are told with file, line and field; secrets are never repeated; the exit status tells."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from idp.apply import source
from idp.apply.schema.document import parse
from idp.apply.source import FileWrong
from idp.database import Database, transaction
from idp.settings import NotConfigured
from tests.cli.conftest import POST_SECRET, SECRETS, Result
from tests.engines import settings_for

Run = Callable[..., Result]

WRONG = [
    ("clients:\n  - client_id: a\n    name: A\n    colour: red\n", "x.yaml:4: clients[0].colour: is not a field"),
    ("clients:\n  - client_id: a\n", "x.yaml:2: clients[0].name: is missing"),
    (
        "clients:\n  - {client_id: a, name: A,\n     auth_method: magic}\n",
        "x.yaml:3: clients[0].auth_method: must be 'none'",
    ),
    (
        "clients:\n  - client_id: a\n    name: A\n    auth_method: none\n    redirect_uris:\n      - http://a.example/cb\n",
        "x.yaml:6: clients[0].redirect_uris[0]: must be https",
    ),
    ("clients:\n  - {client_id: a, name: A, secret: 'env:X'}\n", "needs at least one of `redirect_uris`"),
    (
        "clients:\n  - {client_id: a, name: A, auth_method: private_key_jwt, grants: [client_credentials]}\n",
        "private_key_jwt needs `jwks`",
    ),
    (
        "clients:\n  - client_id: a\n    name: A\n    jwks: {keys: [{kty: EC, d: abc}]}\n",
        "x.yaml:4: clients[0].jwks: holds a private key",
    ),
    (
        "people:\n  - ref: a\n    name: A\n    affiliations:\n      - provider: p\n        from: 2026-02-30\n",
        "x.yaml:6:",
    ),
    ("people:\n  - {ref: a, name: A}\n  - {ref: a, name: B}\n", "x.yaml:3: people[1]: is the same entry as people[0]"),
    ("people:\n  - ref: a\n    ref: b\n", "x.yaml:3: ref: is written twice"),
    (
        "grants:\n  - {person: a, provider: p, from: 2026-02-01, until: 2026-01-01, bundle: b}\n",
        "must be later than `from`",
    ),
    ("grants:\n  - {person: a, provider: p}\n", "give either `entitlement` or `bundle`"),
    ("people: [\n", "x.yaml:2:"),
    ("- a\n", "x.yaml:1: the file must hold sections"),
    ("settings:\n  clocks:\n    session_idle: soon\n", "x.yaml:3: settings.clocks.session_idle"),
    (
        "providers:\n  - {ref: p, name: P, portals: [{line: medical, from: '2026-01-01T08:00:00'}]}\n",
        "needs a time zone",
    ),
]


@pytest.mark.parametrize(("text_", "said"), WRONG)
def test_a_mistake_is_told_with_its_line_and_field(tmp_path: Path, text_: str, said: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text_)
    with pytest.raises(FileWrong) as caught:
        parse(source.read(file), development=True)
    assert said in str(caught.value)


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("clients:\n  - {client_id: a b}\n  - {client_id: c, nam: C}\n")
    with pytest.raises(FileWrong) as caught:
        parse(source.read(file), development=True)
    assert [problem.split(": ")[1] for problem in caught.value.problems] == [
        "clients[0].client_id",
        "clients[0].name",
        "clients[1].name",
        "clients[1].nam",
    ]


def test_mistakes_in_toml_have_lines_too(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text('[[clients]]\nclient_id = "a"\nname = "A"\n\n[[clients]]\nclient_id = "b"\nnam = "B"\n')
    with pytest.raises(FileWrong) as caught:
        parse(source.read(file), development=True)
    assert "x.toml:7: clients[1].nam: is not a field" in str(caught.value)
    file.write_text("a = [1\n")
    with pytest.raises(FileWrong, match=r"x\.toml:\d+: "):
        source.read(file)


@pytest.mark.parametrize(
    ("entry", "field"),
    [
        ("clients:\n  - {client_id: a, name: A, secret: plain-secret-plain-secret-plain-sec}\n", "secret"),
        ("people:\n  - {ref: a, name: A, user_name: abc, password: plain-secret}\n", "password"),
        ("people:\n  - {ref: a, name: A, id: acc_chosen}\n", "id"),
        ("people:\n  - {ref: a, name: A, terms: accepted}\n", "terms"),
        ("people:\n  - {ref: a, name: A, attested: true}\n", "attested"),
        ("sessions:\n  - {ref: a, person: b}\n", "sessions"),
        (
            "clients:\n  - {client_id: a, name: A, secret: 'env:X', redirect_uris: ['http://127.0.0.1/cb']}\n",
            "redirect",
        ),
    ],
)
def test_outside_development_what_is_for_test_worlds_is_refused(tmp_path: Path, entry: str, field: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(entry)
    with pytest.raises(FileWrong) as caught:
        parse(source.read(file), development=False)
    assert field in str(caught.value)
    assert "plain-secret" not in str(caught.value)


def test_security_86_secrets_are_never_echoed(ready: Database, folder: Path, idp: Run) -> None:
    told = [idp("apply", str(folder / "world.yaml"), "--dry-run"), idp("apply", str(folder / "world.yaml"))]
    file = folder / "bad.yaml"
    file.write_text("clients:\n  - {client_id: a, name: A, secret: short-secret, grants: [client_credentials]}\n")
    told += [idp("apply", str(file)), idp("export")]
    assert [result.exit_code for result in told] == [0, 0, 1, 0]
    for result in told:
        for secret in (*SECRETS.values(), POST_SECRET, "short-secret", "366123459"):
            assert secret not in result.output
    assert "bad.yaml:2: clients[0]: secret: A supplied secret needs 32 characters" in told[2].output
    with transaction(ready) as db:
        leaves = db.execute(text("SELECT leaf FROM audit_record")).scalars().all()
    for secret in (*SECRETS.values(), POST_SECRET, "366123459"):
        assert not any(secret.encode() in bytes(leaf) for leaf in leaves)


def test_a_missing_variable_is_told_by_name(
    ready: Database, folder: Path, idp: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WES_PASSWORD")
    result = idp("apply", str(folder / "world.yaml"))
    assert result.exit_code == 1
    assert "people[1].password: the environment variable WES_PASSWORD is not set" in result.output
    assert "Traceback" not in result.output


def test_a_file_that_is_not_there_is_a_sentence(ready: Database, idp: Run) -> None:
    result = idp("apply", "/nowhere/x.yaml")
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output


def test_the_help_names_every_command(idp: Run) -> None:
    result = idp("--help")
    assert result.exit_code == 0
    for command in ["serve", "migrate", "bootstrap", "apply", "export", "keys", "audit", "doctor", "demo", "story"]:
        assert command in result.output
    assert idp("frobnicate").exit_code == 2


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://idp:hidden@db/idp", "IDP_DATABASE_URL must begin with postgresql:// or sqlite:///"),
        ("sqlite:////dev/null/below/idp.db", "IDP_DATABASE_URL: cannot make /dev/null/below: Not a directory"),
    ],
)
def test_a_database_that_cannot_be_is_told_in_a_sentence(
    url: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotConfigured) as caught:
        Database(settings_for(url, tmp_path))
    assert said in str(caught.value)
    assert "hidden" not in str(caught.value)
