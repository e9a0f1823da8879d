"""Every table of the service, imported once so that metadata is whole (migrations, tests)."""

from sqlmodel import SQLModel

import idp.accounts.contact_tables
import idp.accounts.link_tables
import idp.accounts.proof_tables
import idp.accounts.tables
import idp.apply.tables
import idp.audit.tables
import idp.cases.tables
import idp.catalogue.tables
import idp.configuration
import idp.database.history
import idp.entitlements.duty_tables
import idp.entitlements.tables
import idp.federation.tables
import idp.notices.tables
import idp.oauth.status_list.tables
import idp.oauth.tables
import idp.partners.tables
import idp.providers.registry_tables
import idp.providers.tables
import idp.provisioning.tables
import idp.registration.tables
import idp.security.tables
import idp.sharing.live.tables
import idp.signals.stream_tables
import idp.signals.tables
import idp.wam.tables  # noqa: F401

METADATA = SQLModel.metadata
