"""what is asked about one person at a sign-in and after it is found by key

Revision ID: 0014
Revises: 0013
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_known_device_account", "known_device", ["account_id"])
    op.create_index("ix_affiliation_account", "affiliation", ["account_id"])
    op.create_index("ix_application_account", "application", ["account_id"])
    op.create_index("ix_partner_person_subject", "partner_person", ["partner_id", "external_id"])
