"""Gate 4: this app may ask about this function and line, on a channel that is enabled (T-29)."""

from idp.entitlements.facts import Facts
from idp.entitlements.verdict import PASS, Stop, Verdict
from idp.partners.standing import is_good


def client_and_channel(facts: Facts) -> Verdict:
    """Stop when the key, line, app or its partner is not allowed; then when the channel is not enabled."""
    app, question = facts.question.app, facts.question
    if facts.function is None or question.asked_line not in app.lines or not app.active:
        return Stop("client_not_allowed")
    if app.entitlements is not None and question.entitlement not in app.entitlements:
        return Stop("client_not_allowed")
    if app.partner_id is not None:
        partner = facts.world.partners.get(app.partner_id)
        if partner is None or not is_good(partner.status):
            return Stop("client_not_allowed")
    if app.channel not in facts.world.channels or question.channel not in (None, app.channel):
        return Stop("channel_not_enabled")
    return PASS
