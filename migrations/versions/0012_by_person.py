"""what is asked about one person at a sign-in and after it is found by key

Revision ID: 0012
Revises: 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_known_device_account", "known_device", ["account_id"])
    op.create_index("ix_affiliation_account", "affiliation", ["account_id"])
    op.create_index("ix_application_account", "application", ["account_id"])
    op.create_index("ix_partner_person_subject", "partner_person", ["partner_id", "external_id"])
