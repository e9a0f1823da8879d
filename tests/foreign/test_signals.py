"""Security events, logout tokens and the signed feed, verified by libraries whose makers never saw this service."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from jose import jwt as python_jose

from scripts import node_packages
from tests.signals.receivers import Telling, telling

__all__ = ["telling"]
HERE = Path(__file__).parent
NONCE = "a-nonce-of-the-app-itself"


def _node(jwks: dict[str, Any], tokens: list[dict[str, str]]) -> list[dict[str, Any]]:
    node = shutil.which("node") or str(node_packages.find_node())
    asked = json.dumps({"jwks": jwks, "tokens": tokens})
    done = subprocess.run(
        [node, str(HERE / "verify_tokens.mjs")], input=asked, capture_output=True, text=True, check=True, timeout=60
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_se3_foreign_libraries_verify_what_we_tell_and_refuse_what_is_not_for_them(telling: Telling) -> None:
    stream = telling.stream(push=True)["stream_id"]
    telling.announce()
    telling.send(stream)
    telling.send("logout:claims")
    pushed, logout = telling.receiver.got
    feed = telling.ask("GET", f"/feed?nonce={NONCE}&after=0").text
    [logout_token] = parse_qs(logout.content.decode())["logout_token"]
    issuer, jwks = str(telling.browser.base_url), telling.browser.get("/oauth/jwks").json()
    event = pushed.content.decode()
    right = {"issuer": issuer, "audience": "claims"}
    found = _node(
        jwks,
        [
            {"token": event, "typ": "secevent+jwt", **right},
            {"token": logout_token, "typ": "logout+jwt", **right},
            {"token": feed, "typ": "revocations+jwt", **right},
            {"token": event, "typ": "secevent+jwt", "issuer": issuer, "audience": "other"},
            {"token": event, "typ": "secevent+jwt", "issuer": "https://evil.example", "audience": "claims"},
            {"token": event, "typ": "at+jwt", **right},
            {"token": event[:-8] + "AAAAAAAA", "typ": "secevent+jwt", **right},
        ],
    )
    said, ended, heard = (one["payload"] for one in found[:3])
    assert said["sub_id"]["user"] == {"format": "iss_sub", "iss": issuer, "sub": "acc_ana"}
    assert ended["sid"] == "ses_ana"
    assert (heard["nonce"], heard["last"]) == (NONCE, 1)
    assert all("refused" in one for one in found[3:])
    by_python = python_jose.decode(event, jwks, algorithms=["ES256"], audience="claims", issuer=issuer)
    assert by_python == said
