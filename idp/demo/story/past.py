"""After the last step: an auditor's own program asks the service about the past, with a client of the demo."""

from datetime import timedelta
from typing import Any

import httpx2

from idp import clock
from idp.demo.story.stage import Stage

_LAST_YEAR = timedelta(days=365)


def an_auditor_asks(stage: Stage) -> None:
    """Who could see claim status since the story began, in which seconds, by whose hand; and could Ana a year ago?"""
    tell, main = stage.teller, stage.places.main
    tell.scene("6. An auditor's program asks about the past")
    with httpx2.Client(base_url=main, trust_env=False) as http:
        answer = http.post(
            "/oauth/token",
            data={
                "grant_type": "client_credentials",
                "scope": "access:evaluate access:search access:simulate",
                "resource": main,
            },
            auth=("analysis", stage.places.secret("analysis.secret")),
        )
        tell.sent("POST", f"{main}/oauth/token", None, answer.status_code, None)
        tell.check(answer.status_code == 200, "its client gets a token for itself")
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        _who_could(stage, http)
        _a_year_ago(stage, http)


def _who_could(stage: Stage, http: httpx2.Client) -> None:
    tell = stage.teller
    found = _asked(stage, http, "/access/v1/who", {"context": {"from": stage.since, "until": clock.iso(clock.now())}})
    account = stage.tokens.access.subject
    ana = next((one for one in found["results"] if one["id"] == account), None)
    tell.check(
        ana is not None, "Ana is in the list of who could since the story began, though she has nothing any more"
    )
    period = ana["periods"][-1] if ana else {}
    tell.answered(f"  {account}: {period['from']} to {period['until']}, because {period['because']}")
    given = period["given"][0]
    tell.check(given["ended"] is not None, f"given by {given['by']} ({given['reason']}), ended {given['ended']}")


def _a_year_ago(stage: Stage, http: httpx2.Client) -> None:
    at = clock.iso(clock.now() - _LAST_YEAR)
    context = {"at": at, "assume_authenticated": True, "explain": True}
    context |= {"purpose": "CLAIM_REDUCTION_REVIEW", "record": {"type": "claim", "id": "CLM-1"}}
    body = {"subject": {"type": "account", "id": stage.tokens.access.subject}, "context": context}
    answer = _asked(stage, http, "/access/v1/evaluation", body)
    said = answer["context"]
    stage.teller.answered(f"  at {at}: {said['outcome']} {said.get('reason', '')} {said['id']}")
    stage.teller.check(answer["decision"] is False, "a year ago Ana could not: she had not joined")


def _asked(stage: Stage, http: httpx2.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    whole = {"action": {"name": "claim.status.view"}, "resource": {"type": "provider", "id": "prv_lakeside"}, **body}
    answer = http.post(path, json=whole)
    stage.teller.sent("POST", f"{stage.places.main}{path}", None, answer.status_code, None)
    stage.teller.check(answer.status_code == 200, "the question is understood")
    told: dict[str, Any] = answer.json()
    return told
