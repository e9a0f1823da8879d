"""A typed one-time code that came much later than this person's own: perhaps read out over the telephone."""

from statistics import median

from idp.sharing.events import Factor
from idp.sharing.seen import Finding, Seen

KIND = "slow_code"
TYPED = ("totp", "sms", "email")
ENOUGH, TIMES, LEAST = 8, 3.5, 20.0
ALWAYS = 3
"""Slow codes at one device, hardly ever a quick one: there it is no accident."""


def look(seen: Seen) -> Finding | None:
    """Compare with the own median. Called away now and then is weak; a device whose codes always come late is not."""
    act = seen.act
    if not isinstance(act, Factor) or act.method not in TYPED or len(seen.account.delays) < ENOUGH:
        return None
    usual = median(seen.account.delays)
    if act.delay < max(TIMES * usual, LEAST):
        return None
    strength = 1.0
    if seen.guards.slow_habit:
        own = seen.account.devices.get(act.device)
        quick, slow = (own.typed, own.slow + 1) if own else (0, 1)
        strength = 0.15 if quick > slow or seen.pool(act.device) else 0.35
        if slow >= ALWAYS and quick * 4 <= slow:
            strength = 1.0
    return Finding(strength, f"a code was typed after {act.delay:.0f} seconds where {usual:.0f} are usual")
