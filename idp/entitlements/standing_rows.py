"""The statements that read how a person stands with an organisation: one for each, whatever they hold."""

from idp.database.lane import Sql

ORGANISATION = Sql(
    "SELECT 'provider' AS kind, id, name AS a, status AS b, provider.kind AS c, payment_arrangement AS d, "
    "channels AS e, CAST(NULL AS BIGINT) AS w, CAST(NULL AS BIGINT) AS x, "
    "CAST(NULL AS BIGINT) AS y, CAST(NULL AS BIGINT) AS z, CAST(NULL AS TEXT) AS f FROM provider WHERE id = $1 "
    "UNION ALL SELECT 'portal', id, NULL, NULL, NULL, NULL, NULL, starts_at, ends_at, ended_at, NULL, NULL "
    "FROM portal_access WHERE provider_id = $1 AND line = $2 "
    "UNION ALL SELECT 'agreement', id, NULL, NULL, NULL, NULL, NULL, starts_at, ends_at, NULL, NULL, NULL "
    "FROM agreement WHERE provider_id = $1 AND line = $2 "
    "UNION ALL SELECT 'participation', id, NULL, NULL, NULL, NULL, NULL, starts_at, ends_at, NULL, NULL, NULL "
    "FROM participation WHERE provider_id = $1 AND line = $2 "
    "UNION ALL SELECT 'withheld', id, entitlement, NULL, NULL, NULL, NULL, starts_at, ended_at, NULL, NULL, NULL "
    "FROM withheld_function WHERE provider_id = $1 AND line = $2 "
    "UNION ALL SELECT 'delegation', id, partner_id, parent_id, entitlements, lines, status, starts_at, ends_at, "
    "ended_at, NULL, locations FROM delegation WHERE provider_id = $1 "
    "UNION ALL SELECT 'credential', c.id, c.kind, c.services, p.npi, p.id, NULL, c.starts_at, c.ends_at, "
    # Nothing of a practitioner counts once the registry took the NPI out of use (providers.practitioners.deactivate).
    "m.starts_at, CASE WHEN p.deactivated_at IS NOT NULL AND (m.ends_at IS NULL OR p.deactivated_at < m.ends_at) "
    "THEN p.deactivated_at ELSE m.ends_at END, NULL FROM practitioner_membership m "
    "JOIN practitioner p ON p.id = m.practitioner_id "
    "JOIN credential c ON c.practitioner_id = m.practitioner_id "
    "WHERE m.provider_id = $1 AND c.kind IN ('licence', 'credentialing')"
)
_OF_PERSON = (
    "UNION ALL SELECT 'terms', document_id, NULL, NULL, NULL, accepted_at, NULL, NULL "
    "FROM terms_acceptance WHERE account_id = $1 "
    "UNION ALL SELECT 'attestation', id, NULL, NULL, NULL, attested_at, expires_at, NULL "
    "FROM attestation WHERE account_id = $1 "
    "UNION ALL SELECT 'affiliation', id, partner_id, locations, NULL, starts_at, ends_at, ended_at "
    "FROM affiliation WHERE provider_id = $2 AND account_id = $1 "
    "UNION ALL SELECT 'appointment', id, NULL, NULL, NULL, starts_at, ends_at, ended_at "
    "FROM appointment WHERE provider_id = $2 AND line = $3 AND account_id = $1 "
    "UNION ALL SELECT 'grant', id, entitlement, effect, delegation_id, not_before, expires_at, ended_at "
    'FROM "grant" WHERE account_id = $1 AND provider_id = $2 AND line_of_business = $3'
)
PERSON = Sql(
    "SELECT 'account' AS kind, id, status AS a, CAST(NULL AS TEXT) AS b, CAST(NULL AS TEXT) AS c, "  # noqa: S608 - the text above
    "CAST(ial AS BIGINT) AS x, ceased_at AS y, CAST(NULL AS BIGINT) AS z FROM account WHERE id = $1 " + _OF_PERSON
)
FIRST = Sql(
    "SELECT 'versions' AS kind, CAST(NULL AS TEXT) AS id, CAST(NULL AS TEXT) AS a, CAST(NULL AS TEXT) AS b, "  # noqa: S608 - the text above
    "CAST(NULL AS TEXT) AS c, (SELECT epoch FROM policy_epoch WHERE id = 1) AS x, "
    "COALESCE((SELECT version FROM account_version WHERE account_id = $1), 0) AS y, CAST(NULL AS BIGINT) AS z "
    "UNION ALL SELECT 'session', s.account_id, s.acr, s.partner_id, CAST(s.expires_at AS TEXT) || ' ' || "
    "COALESCE(s.ended_at, 0) || ' ' || COALESCE(l.ended_at, l.held_at, 0), s.auth_time, s.factor_time, s.last_seen_at "
    "FROM session s LEFT JOIN login l ON l.id = s.login_id WHERE s.id = $4 "
    "UNION ALL SELECT 'account', id, status, NULL, NULL, CAST(ial AS BIGINT), ceased_at, NULL "
    "FROM account WHERE id = $1 " + _OF_PERSON
)
"""Versions, session and the person, of somebody nothing is known of: one statement, so one moment of the database."""

STATUSES = Sql(
    "SELECT subject_id, what, status, before, at FROM status_change WHERE subject_id = $1 "
    "OR subject_id IN (SELECT id FROM affiliation WHERE account_id = $1) "
    "OR subject_id IN (SELECT id FROM delegation WHERE provider_id = $1) "
    "OR subject_id IN (SELECT practitioner_id FROM practitioner_membership WHERE provider_id = $1) ORDER BY at, id"
)
"""What an account, or an organisation, its delegations and practitioners, were on other days: for replays alone."""
