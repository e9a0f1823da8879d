"""Between the steps: a second app of the portal, for another line of business."""

from idp.demo.people import BEN
from idp.demo.story.stage import FIRST_PAGE, Stage

_MEMBER = "/members/MA-100"


def hsconnect_looks(stage: Stage) -> None:
    """HSConnect: one sign-in serves both apps, but what was given for one line opens nothing in another."""
    tell, places, ana = stage.teller, stage.places, stage.ana
    tell.scene("3b. The other app, HSConnect, is for Medicare Advantage")
    before = len(tell.asked)
    page = ana.open(places.hsconnect + "/")
    typed = [line for line in tell.asked[before:] if line.startswith("POST")]
    tell.check(page.origin == places.hsconnect and not typed, "Ana is signed in there too, and was asked nothing")
    page = ana.open(places.hsconnect + _MEMBER)
    tell.check(
        page.status == 403 and "Novak" not in page.text,
        "as a biller for medical claims she sees no Medicare Advantage member",
    )
    tell.note("Ben works at Lakeside's front desk for Medicare Advantage.")
    ben = stage.ben
    ben.open(places.hsconnect + _MEMBER)
    pages = {
        FIRST_PAGE: lambda each: each.submit("/sign-in", {"username": BEN.user_name}),
        "/sign-in/password": lambda each: each.submit("/sign-in/password", {"password": BEN.password}),
        "/sign-in/confirm": lambda each: stage.type_code(each, BEN),
    }
    ben.walk(lambda page: page.origin == places.hsconnect, pages)
    tell.check(ben.page.status == 200 and "Novak" in ben.page.text, "after his second step he sees the member")
    tell.check("grt_" in ben.page.text, "and the page names the access that lets him")
    page = ben.open(f"{places.claims}/claims/CLM-1?purpose=CLAIM_REDUCTION_REVIEW")
    tell.check(page.status == 403 and "Alvarez" not in page.text, "Claims, in turn, stays closed for him")
