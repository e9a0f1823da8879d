"""what a person holds, accepted and attested stands in one index each, complete: no row is fetched beside it

Revision ID: 0030
Revises: 0029
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_LIVE = sa.text("ended_at IS NULL")
_PERSON = ["account_id", "provider_id", "line_of_business", "entitlement"]


def upgrade() -> None:
    op.create_index(
        "ix_grant_held",
        "grant",
        [*_PERSON, "effect", "delegation_id", "not_before", "expires_at", "ended_at", "id"],
    )
    op.drop_index("ix_grant_by_person", "grant")
    op.drop_index("ix_grant_live_by_person", "grant", sqlite_where=_LIVE, postgresql_where=_LIVE)
    op.create_index("ix_attestation_held", "attestation", ["account_id", "attested_at", "expires_at", "id"])
    op.drop_index("ix_attestation_account_id", "attestation")
    op.create_index("ix_terms_acceptance_held", "terms_acceptance", ["account_id", "document_id", "accepted_at"])


def downgrade() -> None:
    op.drop_index("ix_terms_acceptance_held", "terms_acceptance")
    op.create_index("ix_attestation_account_id", "attestation", ["account_id"])
    op.drop_index("ix_attestation_held", "attestation")
    op.create_index(
        "ix_grant_live_by_person",
        "grant",
        [*_PERSON, "effect", "not_before", "expires_at", "id"],
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
    op.create_index("ix_grant_by_person", "grant", _PERSON)
    op.drop_index("ix_grant_held", "grant")
