"""The guard of pages: the same decision as any app gets, strangers see nothing."""

from collections.abc import Callable
from typing import Annotated, Any

import orjson
import pytest
from fastapi import Depends
from sqlalchemy import text

from idp.accounts.sessions import hash_of
from idp.database import Database, reading, transaction
from idp.entitlements.tables import Appointment
from idp.settings import Settings
from idp.web.cookies import SESSION
from idp.web.guards import Acting, entitled
from tests.entitlements.conftest import BASE, Caller

Run = Callable[[Callable[[Caller], Any]], Any]
MayManage = Annotated[Acting, Depends(entitled("access.manage"))]


@pytest.fixture
def cookie(ana: Database, settings: Settings) -> dict[str, str]:
    """Ana's browser; she is access manager of Lakeside."""
    with transaction(ana) as db:
        db.execute(text("UPDATE session SET token_hash = :h WHERE id = 'ses_ana'"), {"h": hash_of("her secret")})
        where = {"account_id": "acc_ana", "provider_id": "prv_lake", "line": "medical"}
        db.add(Appointment(id="wam_ana", starts_at=BASE["now"], **where))
    return {"Cookie": f"{settings.cookie_prefix}{SESSION}=her secret"}


def _page(app: Caller) -> None:
    @app.app.get("/p/{p}/guarded")
    def guarded(acting: MayManage) -> dict[str, Any]:
        return {
            "account": acting.visitor.account.id,
            "provider": acting.provider.id,
            "because": acting.decision.because,
        }


def _get(run: Run, cookie: dict[str, str], provider: str = "prv_lake") -> Any:
    async def play(app: Caller) -> Any:
        _page(app)
        return await app.http.get(f"/p/{provider}/guarded", headers=cookie)

    return run(play)


def _outcomes(database: Database) -> list[tuple[str, str | None]]:
    with reading(database) as db:
        rows = db.execute(text("SELECT leaf FROM audit_record WHERE event = 'entitlements.decision.made' ORDER BY seq"))
        leaves = [orjson.loads(leaf) for leaf in rows.scalars()]
    assert all(leaf["actor"] == "acc_ana" for leaf in leaves)
    return [(leaf["outcome"], leaf.get("reason")) for leaf in leaves]


def test_an_access_manager_comes_in_and_the_decision_is_in_the_log(
    run: Run, ana: Database, cookie: dict[str, str]
) -> None:
    answer = _get(run, cookie)
    assert answer.status_code == 200
    assert answer.json() == {"account": "acc_ana", "provider": "prv_lake", "because": ["wam_ana"]}
    assert _outcomes(ana) == [("permit", None)]


def test_security_62_a_stranger_s_practice_looks_like_one_that_does_not_exist(
    run: Run, ana: Database, cookie: dict[str, str]
) -> None:
    foreign, unknown = _get(run, cookie, "prv_other"), _get(run, cookie, "prv_nobody")
    assert foreign.status_code == unknown.status_code == 404
    bodies = [{k: v for k, v in answer.json().items() if k != "reference"} for answer in (foreign, unknown)]
    assert bodies[0] == bodies[1]
    assert _outcomes(ana) == [("deny", "provider_not_granted")] * 2


def test_nobody_signed_in_is_asked_to_sign_in(run: Run, ana: Database) -> None:
    assert _get(run, {}).status_code == 401
    assert _outcomes(ana) == []


def test_an_old_second_factor_is_asked_for_again(run: Run, ana: Database, cookie: dict[str, str]) -> None:
    with transaction(ana) as db:
        db.execute(text("UPDATE session SET factor_time = NULL"))
    answer = _get(run, cookie)
    assert answer.status_code == 401
    assert "insufficient_user_authentication" in answer.headers["www-authenticate"]
    assert "max_age=900" in answer.headers["www-authenticate"]
    assert _outcomes(ana) == [("step_up", "step_up_required")]


def test_an_ended_appointment_is_a_refusal_with_its_reason(run: Run, ana: Database, cookie: dict[str, str]) -> None:
    with transaction(ana) as db:
        db.execute(text("UPDATE appointment SET ended_at = 1"))
    answer = _get(run, cookie)
    assert answer.status_code == 403
    assert answer.json()["type"].endswith("/problems/entitlement_not_granted")
    assert "Lakeside Clinic" in answer.json()["detail"]
    assert _outcomes(ana) == [("deny", "entitlement_not_granted")]
