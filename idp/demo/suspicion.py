"""What the detector would have found about Ben, had this world run for two weeks: made up, and said to be."""

from datetime import timedelta

from sqlmodel import Session as Db
from sqlmodel import col, select

from idp import clock
from idp.cases.finding import Finding, Reason
from idp.cases.tables import SecurityCase


def known(db: Db, account_id: str) -> bool:
    """Say whether a case about this account was ever opened."""
    return db.exec(select(SecurityCase.id).where(col(SecurityCase.account_id) == account_id)).first() is not None


def about(account_id: str, provider_id: str) -> Finding:
    """Return a finding at the case line: two desks in use, at one practice."""
    now = clock.now()

    def rows(device: str, *hours: float) -> tuple[dict[str, object], ...]:
        return tuple(
            {"at": clock.iso(now - timedelta(hours=each)), "device": device, "provider": provider_id} for each in hours
        )

    return Finding(
        account_id,
        "sharing",
        1.9,
        "case",
        (
            Reason(
                "role_split",
                2.3,
                "One device looks up eligibility all day, the other claims: different work on the same days.",
                6,
                rows("front desk, seat 1", 30, 54) + rows("front desk, seat 2", 29.9, 53.8),
            ),
            Reason(
                "two_hands",
                1.1,
                "Both devices sent requests within two seconds of each other, nine times.",
                2,
                rows("front desk, seat 2", 29.95),
            ),
        ),
        "the demo, not the detector",
        now - timedelta(days=13),
        now,
        ("A third device is a shared workstation of 9 accounts.",),
    )
