"""The closed vocabulary of the log and the shape of one event (domain.md 11)."""

from dataclasses import dataclass, field
from typing import Any

VOCABULARY: dict[str, str] = {
    # signing in and credentials
    "accounts.login.succeeded": "Signed in",
    "accounts.login.closed": "What a login had opened was ended at its organization's word",
    "accounts.login.refused": "A sign-in was refused",
    "accounts.login.linked": "A login was added to an account",
    "accounts.login.unlinked": "A login was removed from an account",
    "accounts.login.link_refused": "Adding a login was refused",
    "accounts.login.held": "A login seems to be another person's now; it is held",
    "accounts.login.released": "A held login was confirmed",
    "accounts.links.viewed": "Somebody of access support looked at a person's logins",
    "accounts.login.undone": "A line of the link journal was undone",
    "accounts.accounts.merged": "Two accounts of one person became one",
    "accounts.account.split": "An account of two people became two",
    "accounts.operation.undone": "A merge or split was undone",
    "accounts.facts.received": "An outside login sent facts",
    "accounts.factor.added": "A second step was added",
    "accounts.factor.removed": "A second step was removed",
    "accounts.factor.moved": "Passkeys went along when two accounts became one, or back",
    "accounts.factor.renamed": "A second step was given another name",
    "accounts.factor.confirmed": "A second step was used",
    "accounts.factor.refused": "A second step was refused",
    "accounts.password.changed": "A password was changed",
    "accounts.password.rehashed": "A password hash was brought up to date",
    "accounts.recovery.begun": "Getting back in was begun",
    "accounts.recovery.proved": "One proof of getting back in was given",
    "accounts.recovery.refused": "Getting back in was refused",
    "accounts.recovery.stopped": "Getting back in was stopped by the owner",
    "accounts.recovery.vouched": "An access manager vouched for a person who lost their second step",
    "accounts.recovery.done": "A person got back in with two proofs",
    "accounts.account.cleansed": "What was added before an owner proved themselves was removed",
    "accounts.device.met": "Somebody signed in on a device new to the account",
    "accounts.address.asked": "A link was mailed to confirm an address",
    "accounts.address.added": "An address for notices was confirmed",
    "accounts.address.removed": "An address for notices was removed",
    "accounts.session.ended": "A session ended",
    "accounts.account.created": "An account was created",
    "accounts.account.changed": "An account's facts changed",
    "accounts.account.suspended": "An account was suspended",
    "accounts.account.reinstated": "An account was reinstated",
    "accounts.account.ceased": "An account ceased",
    "accounts.account.closed": "An account was closed",
    "accounts.terms.accepted": "Terms were accepted",
    "accounts.terms.declined": "Terms were declined",
    "accounts.terms.shown": "Terms were shown",
    "accounts.terms.published": "A version of the terms was published",
    "accounts.attestation.made": "Eligibility was attested",
    "registration.invitation.made": "An invitation was made",
    "registration.invitation.accepted": "An invitation was accepted",
    "registration.invitation.refused": "An invitation was refused",
    "registration.invitation.ended": "An invitation was withdrawn",
    "registration.registration.started": "A registration was started",
    "registration.registration.refused": "A step of a registration was refused",
    "registration.address.asked": "A code was mailed to confirm an address",
    "registration.address.confirmed": "An address was confirmed",
    "registration.address.refused": "A code for an address was refused",
    "registration.application.submitted": "A person applied to work for a practice",
    "registration.application.viewed": "An application was opened",
    "registration.application.approved": "An application was approved",
    "registration.application.denied": "An application was denied",
    "registration.application.ended": "An application ended without a decision",
    "registration.application.moved": "A waiting application went along when two accounts became one, or back",
    "registration.application.escalated": "An application waits too long; the insurer was told",
    "registration.claim.opened": "A person claimed to be a practice's first access manager",
    "registration.claim.refused": "A proof of a first access manager was wrong",
    "registration.claim.locked": "A claim of a first access manager was locked",
    "registration.claim.proven": "A claim of a first access manager was proven",
    "notices.mail.written": "A mail was written",
    "notices.mail.failed": "A mail could not be sent",
    # the authorization server
    "oauth.request.pushed": "An app sent an authorization request ahead",
    "oauth.code.issued": "An authorization code was issued",
    "oauth.code.reused": "An authorization code was used again",
    "oauth.token.issued": "Tokens were issued",
    "oauth.token.refreshed": "Tokens were refreshed",
    "oauth.token.refused": "A token request was refused",
    "oauth.token.revoked": "A token was given back",
    "oauth.token.introspected": "A token was introspected",
    "oauth.userinfo.read": "A token's person was read",
    "oauth.refresh.reused": "A refresh token was used again; its family ended",
    "oauth.family.ended": "A token family ended",
    "oauth.provider.chosen": "A practice was chosen to act for",
    "oauth.consent.given": "An app was allowed",
    "oauth.consent.ended": "An app's consent ended",
    "oauth.client.registered": "A client was registered",
    "oauth.client.changed": "A client was changed",
    "oauth.key.made": "A signing key was made",
    "oauth.key.activated": "A signing key became active",
    "oauth.key.retired": "A signing key was retired",
    "oauth.key.removed": "A signing key was removed",
    # entitlements and the access manager
    "entitlements.decision.made": "A decision was answered",
    "entitlements.search.answered": "A search over access was answered",
    "entitlements.grant.added": "Access was given",
    "entitlements.grant.replaced": "Access was changed",
    "entitlements.grant.suspended": "Access was paused",
    "entitlements.grant.ended": "Access was removed",
    "entitlements.bundle.changed": "A bundle was changed",
    "entitlements.catalogue.changed": "The catalogue was changed",
    "wam.appointment.made": "An access manager was appointed",
    "wam.appointment.ended": "An access manager's appointment ended",
    "wam.person.viewed": "An access manager looked at a person",
    "wam.people.searched": "An access manager searched the people of a practice",
    "wam.review.opened": "A review of who has what was opened",
    "wam.review.answered": "An access manager answered about a person in a review",
    "wam.review.signed": "A review of who has what was signed",
    "wam.review.missed": "A review was not answered by its due date",
    "wam.review.ended": "A review nobody answered ended, and the paused access with it",
    "wam.change.refused": "A change of access was refused",
    # organisations and partners
    "providers.provider.created": "A practice was recorded",
    "providers.provider.changed": "A practice was changed",
    "providers.portal.opened": "The insurer opened a portal to a practice",
    "providers.portal.closed": "The insurer closed a portal to a practice",
    "providers.continuity.allowed": "A practice outside the network may go on with a treatment for a time",
    "providers.practitioner.deactivated": "The registry took a practitioner's number out of use",
    "providers.practitioner.reactivated": "A practitioner's number is in use again",
    "providers.organization.deactivated": "The registry took an organization's number out of use",
    "providers.organization.reactivated": "An organization's number is in use again",
    "providers.credential.warned": "A practice was told that a credentialing fact ends soon",
    "providers.credential.lapsed": "A credentialing fact ended without a newer one",
    "providers.import.batch": "Rows of a registry's file were taken over",
    "providers.import.finished": "A registry's file was taken over whole",
    "providers.organizations.searched": "Somebody of the insurer searched for a practice",
    "providers.organization.viewed": "A practice's standing was looked at",
    "providers.affiliation.approved": "A person was approved to act for a practice",
    "providers.affiliation.ended": "A person no longer acts for a practice",
    "partners.partner.created": "A partner was recorded",
    "partners.partner.changed": "A partner was changed",
    "partners.partner.suspended": "A partner was suspended",
    "partners.partner.activated": "A partner became active",
    "partners.person.created": "A partner told us about one of its people",
    "partners.person.changed": "A partner changed what it says of one of its people",
    "partners.person.deactivated": "A partner turned one of its people's logins off",
    "partners.person.removed": "A partner took one of its people off its list",
    "partners.shared_account.changed": "A shared account was changed",
    "federation.upstream.registered": "An organization's login was registered",
    "federation.upstream.changed": "An organization's login was changed",
    "federation.logout.received": "An organization ended a sign-in of its people",
    "federation.logout.refused": "An organization's sign-out was refused",
    "federation.community.registered": "A trust community was registered",
    "federation.community.refused": "An organization an app named was not found in any trust community",
    "federation.community.changed": "A trust community was changed",
    "federation.upstream.key_changed": "Our key for an organization's SAML login changed",
    "federation.upstream.failed": "An organization's login failed or gave an unacceptable answer",
    "security.report.made": "Misuse was reported",
    "security.report.viewed": "A report of misuse was opened",
    "security.report.closed": "A report of misuse was closed",
    # the log itself and the service
    "notices.mail.sent": "A notice was handed to the mail relay",
    "audit.log.searched": "The log was searched",
    "audit.log.exported": "The log was exported",
    "audit.log.verified": "The log was verified",
    "audit.record.viewed": "A record was opened",
    "audit.record.refused": "A record this service did not write was found and refused",
    "signals.feed.read": "An app read the revocations",
    "service.settings.changed": "Settings were changed",
    "service.settings.exported": "The configuration was exported",
    "service.bootstrap.made": "A first administrator's link was made",
}


@dataclass(frozen=True, slots=True)
class Event:
    """What happened. `name` must be in the vocabulary; who and where come from the origin."""

    name: str
    account: str | None = None
    """The subject: whose access, login or data it is about."""
    provider: str | None = None
    entitlement: str | None = None
    outcome: str = "done"
    """`done`, `refused`, `failed`; for decisions permit, deny, routed, step_up."""
    reason: str | None = None
    client: str | None = None
    channel: str | None = None
    session: str | None = None
    purpose: str | None = None
    decision: str | None = None
    details: dict[str, Any] = field(default_factory=dict)
    """Ids and codes only; never secrets, names, full identifiers of people, or clinical content."""
    personal: dict[str, Any] = field(default_factory=dict)
    """Person fields (names, addresses, e-mail); encrypted under the subject's own key."""

    def __post_init__(self) -> None:
        if self.name not in VOCABULARY:
            raise ValueError(f"{self.name} is not in the audit vocabulary")
