"""Which of the practices a person can act for a request is for."""

from typing import TYPE_CHECKING

from idp.oauth.arrival import Practice

if TYPE_CHECKING:
    from idp.oauth.steps import Journey


def offered(journey: "Journey") -> tuple[Practice, ...]:
    """Return the practices this app may be used for: those open on its channel (T-29)."""
    return tuple(one for one in journey.arrival.practices if one.open_on(journey.request.client.channel))


def chosen(journey: "Journey") -> Practice | None:
    """Return the practice of a request; None when the person must choose.

    One the app asks for that is not this person's is refused to the app as `access_denied`.
    """
    available = {practice.provider_id: practice for practice in journey.arrival.practices}
    asked = journey.request.acting_for
    if asked is not None:
        if asked not in available:
            journey.request.refuse("access_denied", "provider_not_granted")
        if not available[asked].open_on(journey.request.client.channel):
            journey.request.refuse("access_denied", "channel_not_enabled")
        return available[asked]
    available = {i: one for i, one in available.items() if one.open_on(journey.request.client.channel)}
    if not available and journey.arrival.practices:
        journey.request.refuse("access_denied", "channel_not_enabled")
    picked = (journey.did("practice") or {}).get("provider_id")
    if picked in available:
        return available[picked]
    return next(iter(available.values())) if len(available) == 1 else None
