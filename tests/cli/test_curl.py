"""The curl examples of the docs, sent as they stand there."""

import shlex
from pathlib import Path

from httpx2 import Response
from starlette.testclient import TestClient

from idp.app import create_app
from idp.apply.run import apply_file
from idp.database import Database
from tests.cli.test_docs import HOME, blocks

WORLD = """
terms:
  - {kind: site, version: "1", title: Site terms, body: Site., effective: 2026-01-01}
  - {kind: general, version: "1", title: General terms, body: General., effective: 2026-01-01}
clients:
  - {client_id: claims, name: Claims, secret: claims-secret-claims-secret-claims-0, grants: [client_credentials],
     scopes: ["access:evaluate"]}
providers:
  - {ref: lakeside, id: prv_lakeside, name: Lakeside, portals: [{line: medical, from: 2026-01-01}],
     participation: [{line: medical, from: 2026-01-01}], agreements: [{line: medical, from: 2026-01-01}]}
people:
  - {ref: ana, id: acc_ana, name: Ana Ruiz, user_name: ana.ruiz, password: ana-has-a-long-password,
     terms: accepted, attested: true,
     affiliations: [{provider: lakeside, from: 2026-01-01}]}
grants:
  - {person: ana, provider: lakeside, entitlement: eligibility.view, from: 2026-01-01}
sessions:
  - {ref: ana, id: ses_ana, person: ana, acr: aal2}
"""


def _sent(http: TestClient, example: str, **variables: str) -> Response:
    """Send what curl would: the options the docs use and no others."""
    for name, value in variables.items():
        example = example.replace(f"${name}", value)
    program, *words = shlex.split(example.replace("\\\n", " "))
    assert program == "curl"
    address, body, headers, login = "", [], {}, None
    while words:
        word = words.pop(0)
        if word == "-u":
            user, _, secret = words.pop(0).partition(":")
            login = (user, secret)
        elif word == "-d":
            body.append(words.pop(0))
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word != "-s":
            assert word.startswith("http"), word
            address = word
    headers = {"Content-Type": "application/x-www-form-urlencoded"} | headers
    return http.request("POST" if body else "GET", address, content="&".join(body), headers=headers, auth=login)


def test_apps_the_curl_examples_get_a_token_and_a_yes(ready: Database, tmp_path: Path) -> None:
    file = tmp_path / "world.yaml"
    file.write_text(WORLD)
    assert apply_file(ready, file)
    examples = [block for block in blocks(HOME / "docs" / "apps.md", "sh") if block.startswith("curl")]
    token_example, question = (next(one for one in examples if path in one) for path in ("/oauth/token", "/access/v1"))
    issuer = ready.settings.issuer
    with TestClient(create_app(ready.settings), base_url=issuer) as http:
        secret = "claims-secret-claims-secret-claims-0"
        answer = _sent(http, token_example, CLIENT="claims", SECRET=secret, ISSUER=issuer)
        assert answer.status_code == 200, answer.text
        answer = _sent(http, question, TOKEN=answer.json()["access_token"], ISSUER=issuer)
        assert answer.status_code == 200, answer.text
        assert answer.json()["decision"] is True
        assert answer.json()["context"]["outcome"] == "permit"
