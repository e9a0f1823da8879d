"""Gate 13: the person's own live session is strong and fresh enough for the function (invariant 12)."""

from idp.accounts.assurance import AAL1, AAL2, PHR, meets, rank
from idp.entitlements.before import SessionFacts
from idp.entitlements.facts import Facts
from idp.entitlements.verdict import PASS, STEP_UP, Stop, Verdict, Wanted
from idp.partners.standing import is_good

_ACR = {"aal1": AAL1, "aal2": AAL2, "phr": PHR}
_SECOND = 1_000_000


def strength(facts: Facts) -> Verdict:
    """Stop with the strength wanted; `max_age` only where the function asks for a fresh second factor."""
    function = facts.function
    if facts.question.assume_authenticated:
        return PASS
    acr = _ACR.get(function.acr, PHR) if function is not None else PHR
    fresh = function is None or function.fresh
    session = facts.session
    if session is not None and _alive(facts, session) and meets(session.acr, acr):
        if not fresh:
            return PASS
        used = session.factor_time
        if used is not None and used <= facts.at < used + facts.world.fresh * _SECOND:
            return PASS
    return Stop("step_up_required", STEP_UP, wanted=Wanted(acr, facts.world.fresh if fresh else None))


def _alive(facts: Facts, session: SessionFacts) -> bool:
    """Say whether it is this person's session, begun, not ended, not idle, not over age, its login still good."""
    if session.account_id != facts.question.account_id or session.auth_time > facts.at:
        return False
    ended, shut, at = session.ended_at, session.login_shut, facts.at
    if ended is not None and (not facts.replay or ended <= at):
        return False
    if shut is not None and (not facts.replay or shut <= at):
        return False
    if at >= session.expires_at or at >= session.last_seen_at + facts.world.idle[rank(session.acr)]:
        return False
    if session.partner_id is not None:
        partner = facts.world.partners.get(session.partner_id)
        return partner is not None and is_good(partner.status)
    return True
