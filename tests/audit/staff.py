"""The insurer's own desk: Sam, who may search and export the log, and Ana, who has nothing to do with it."""

from datetime import timedelta
from typing import Any

from idp import clock
from tests.decisions import world


def staff() -> dict[str, Any]:
    """Describe the desk as rows; a session's cookie is given by the test."""
    now = clock.now()
    long_ago, soon = now - timedelta(days=90), now + timedelta(days=90)
    acr = {"acr": "aal2", "amr": ["pwd", "otp"], "auth_time": now, "factor_time": now, "last_seen_at": now}
    made: dict[str, Any] = {
        "provider": {
            "prv_insurer": {"kind": "insurer", "name": "Meridian Health Plan", "status": "active"},
            "prv_lake": {"kind": "practice", "name": "Lakeside Clinic", "status": "active"},
        },
        "portal_access": {"pac_1": {"provider_id": "prv_insurer", "line": "medical", "starts_at": long_ago}},
        "terms_document": {
            f"trm_{kind[0]}": {
                "kind": kind, "version": "1", "title": "", "body": "", "digest": "", "effective_at": long_ago
            }
            for kind in ("site", "general")
        },
    }  # fmt: skip
    for who, name, keys in (("sam", "Sam Ode", ("audit.search", "audit.export")), ("ana", "Ana Ruiz", ())):
        account = f"acc_{who}"
        rows = {
            "account": {account: {"status": "active", "ial": 2, "display_name": name}},
            "contact": {f"ctc_{who}": {"account_id": account, "email": f"{who}@example.org"}},
            "login": {f"lgn_{who}": {"account_id": account, "issuer": "http://localhost:8000", "subject": who}},
            "session": {
                f"ses_{who}": {
                    "token_hash": who, "account_id": account, "login_id": f"lgn_{who}", "expires_at": soon, **acr,
                }
            },
            "terms_acceptance": {f"tac_{who}{d}": {"account_id": account, "document_id": f"trm_{d}"} for d in "sg"},
            "attestation": {
                f"att_{who}": {
                    "account_id": account, "capacity": "authorised_agent", "principal": "", "expires_at": soon
                }
            },
            "affiliation": {
                f"aff_{who}": {
                    "account_id": account, "capacity": "employee", "starts_at": long_ago,
                    "provider_id": "prv_insurer" if keys else "prv_lake",
                }
            },
            "grant": {
                f"grt_{key}": {
                    "account_id": account, "provider_id": "prv_insurer", "line_of_business": "medical",
                    "entitlement": key, "not_before": long_ago, "granted_by": "operator", "reason": "desk",
                }
                for key in keys
            },
        }  # fmt: skip
        made = world.merged(made, rows)
    return made
