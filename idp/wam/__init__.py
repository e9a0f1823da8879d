"""What a Website Access Manager does: see the people of a practice, give, change and remove their access.

Authority is data: an appointment for one organisation and line of business (appointments.py). What a
manager may give is bounded by what the organisation holds (holdings.py); every change is previewed as a
difference, applied only if nobody changed it meanwhile, and answered by a receipt. Writing grants is
left to `entitlements.grants`, ending people to `leaving`.
"""
