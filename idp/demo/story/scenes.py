"""The five steps of the main job."""

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import httpx2

from idp.demo.people import ANA, SAM, WES, DemoPerson
from idp.demo.places import ROOT
from idp.demo.story.browser import Browser, Page
from idp.demo.story.stage import FIRST_PAGE, PURPOSE, Stage
from idp.demo.story.telling import shown
from idp.resource_server.decisions import Answer, Deny, Permit

_EVENTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("accounts.login.linked", "her affiliate's login became a way into her account", ()),
    ("registration.invitation.accepted", "Ana joined Lakeside", ("prv_lakeside",)),
    ("accounts.login.succeeded", "Ana signed in", ()),
    ("accounts.terms.accepted", "Ana accepted the terms", ()),
    ("accounts.attestation.made", "Ana attested why she may act", ()),
    ("oauth.token.issued", "the app was given tokens", ("prv_lakeside", "claims")),
    ("entitlements.decision.made", "decisions were answered", ("prv_lakeside", "claim.status.view", PURPOSE)),
    ("entitlements.grant.added", "Wes gave access", ("acc_wes", "prv_lakeside", "new biller", "127.0.0.1")),
    ("entitlements.grant.ended", "Wes took it away", ("acc_wes", "prv_lakeside", "moved to another desk")),
    ("oauth.family.ended", "the app's tokens ended with it", ("prv_lakeside",)),
    ("oauth.token.refused", "the refresh after that was refused", ()),
)
CLAIM = f"/claims/CLM-1?purpose={PURPOSE}"


def ana_arrives(stage: Stage) -> None:
    """Step 1: from the app through the affiliate's login, invitation, terms, attestation and practice to the app."""
    tell, places, ana = stage.teller, stage.places, stage.ana
    tell.scene("1. Ana opens the Claims app and signs in with her affiliate's login")
    tell.note("Claims has no session for her browser and sends it to the identity service (code + PKCE).")
    ana.open(places.claims + "/")
    tell.check(
        ana.page.origin == places.main and ana.page.status == 200, "the browser stands at Meridian's sign-in page"
    )
    seen: list[str] = []

    def at(path: str, words: str, act: object) -> tuple[str, object]:
        def answer(browser: Browser) -> None:
            if path not in seen:
                seen.append(path)
                tell.note(words)
            act(browser)  # type: ignore[operator]

        return path, answer

    def link(browser: Browser) -> None:
        browser.submit("/link", {"choice": "invitation", "invitation": stage.invitation or ""})

    def terms(browser: Browser) -> None:
        documents = browser.page.form("/terms").choices["accept"]
        tell.check(len(documents) == 2, "two versioned documents are asked for: site-specific and general")
        browser.submit("/terms", {"accept": documents}, button="Accept")

    def attest(browser: Browser) -> None:
        word = {"capacity": "authorised_agent", "principal": "Lakeside Clinic", "word": "yes"}
        browser.submit("/attest", word)

    main, there = places.main, places.affiliate
    answers = dict(
        (
            at(f"{main}{FIRST_PAGE}", "She has no password here: she looks for her organization.", _to_organizations),
            at(
                f"{main}/sign-in/organizations", "She chooses Evergreen Health.", lambda b: b.follow("Evergreen Health")
            ),
            at(f"{there}{FIRST_PAGE}", "Evergreen's own page asks who she is.", _say_who(ANA)),
            at(f"{there}/sign-in/password", "She types the password she has at Evergreen.", _say_password(ANA)),
            at(f"{there}/sign-in/confirm", "Evergreen asks for her second step.", lambda b: stage.type_code(b, ANA)),
            at(f"{main}/link", "Meridian does not know this login. It asks for proof; she has an invitation.", link),
            at(
                f"{main}/invitations/confirm",
                "She accepts the invitation of Lakeside's access manager.",
                lambda b: b.submit("/invitations/confirm"),
            ),
            at(f"{main}/terms", "The terms in force are shown; she accepts both.", terms),
            at(f"{main}/attest", "She attests why she may act.", attest),
            at(f"{main}/practice", "She chooses the practice she acts for.", _choose_lakeside),
        )
    )
    ana.walk(lambda page: page.origin == places.claims, answers)  # type: ignore[arg-type]
    tell.check(f"{there}/sign-in/password" in seen, "her password was asked for at Evergreen, never at Meridian")
    if stage.invitation:
        for path in ("/link", "/terms", "/attest"):
            tell.check(main + path in seen, f"{path} was asked on the way in")
    else:
        tell.note("(Her login was linked in an earlier telling, so no invitation is asked for.)")
    tell.check(ana.page.status == 200 and "Look up a claim" in ana.page.text, "she is in the Claims app")
    tell.check(
        "Acting for Lakeside Clinic" in ana.page.text and "Ana Ruiz" in ana.page.text,
        "the app shows that Ana Ruiz acts for Lakeside Clinic",
    )


def the_app_is_refused(stage: Stage) -> None:
    """Step 2: the token is verified offline, the decision is no, and the app says why and who can help."""
    tell, places = stage.teller, stage.places
    tell.scene("2. The app verifies her token offline and asks for a decision")
    tell.note("A second copy of the app signs her in too, so that its side can be shown; she is asked nothing.")
    stage.tokens = tokens = stage.app.sign_in(stage.ana)
    access = tokens.access
    tell.answered(f"access token for {access.claims['aud']}: sub {access.subject}, sid {access.session_id},")
    tell.answered(f"provider {access.provider_id}, acr {access.acr}, authz_epoch {access.authz_epoch}")
    tell.check(access.provider_id == "prv_lakeside", "the token, checked with the published keys, names Lakeside")
    tell.check(stage.app.introspect(tokens), "introspection calls it active")
    answer = _ask(stage)
    tell.check(isinstance(answer, Deny) and answer.reason == "entitlement_not_granted", "the decision is no")
    page = stage.ana.open(places.claims + CLAIM)
    tell.answered(f"the page says: {_reason(page)}")
    tell.check(page.status == 403 and "Alvarez" not in page.text, "Claims shows no data of the claim")
    tell.check("Nobody has given you Claim status for Medical at Lakeside Clinic" in page.text, "it shows the reason")
    page = stage.ana.follow("See who can help")
    tell.check("Ask Wes Kane" in page.text, "its link leads to who can help: Wes Kane")


def wes_grants(stage: Stage) -> None:
    """Step 3: Lakeside's access manager gives Ana the biller job with an end date; the next decision is yes."""
    tell, places, wes = stage.teller, stage.places, stage.wes
    tell.scene("3. Wes, Lakeside's access manager, gives Ana the biller job until a day")
    wes.open(f"{places.main}/p/prv_lakeside/people")
    _sign_in(stage, wes, WES)
    tell.check(wes.page.path == "/p/prv_lakeside/people", "after password and second step he sees Lakeside's people")
    tell.check("Ana Ruiz" in wes.page.text, "Ana is among them")
    stranger = wes.open(f"{places.main}/p/prv_harbor/people")
    tell.check(stranger.status == 404, "another practice's people are not found for him")
    account = stage.tokens.access.subject
    wes.open(f"{places.main}/p/prv_lakeside/people/{account}/change?line=medical")
    until = (datetime.now(UTC) + timedelta(days=30)).date()
    tell.note(f"He chooses the job Biller, last day {until:%m/%d/%Y}, and looks at the difference.")
    choice: dict[str, str | list[str]] = {"bundle": "biller", "end": "date", "until": f"{until:%m/%d/%Y}", "f": []}
    path = f"/p/prv_lakeside/people/{account}/change/check"
    wes.submit(path, choice)
    tell.check("Claim status" in wes.page.text, "the difference names the functions she gets")
    wes.submit(path, {"reason": "new biller"}, button="Confirm")
    tell.check("is changed" in wes.page.text, "the change is done and has a receipt")
    answer = _ask(stage)
    tell.check(isinstance(answer, Permit), "the very next decision is yes")
    tell.check(any(name.startswith("grt_") for name in answer.because), f"and names the grant {answer.because}")
    page = stage.ana.open(places.claims + CLAIM)
    tell.check(page.status == 200 and "Alvarez" in page.text, "Claims shows Ana the claim")
    for number, words in (("CLM-2", "paid in full"), ("CLM-3", "another practice"), ("CLM-4", "somebody else")):
        page = stage.ana.open(f"{places.claims}/claims/{number}?purpose={PURPOSE}")
        tell.answered(f"the page says: {_reason(page)}")
        tell.check(page.status == 403, f"{number} ({words}) stays closed")
    tell.check("Northwind" in page.text, "for CLM-4 the administrator's contact is shown, and nothing of the claim")
    page = stage.ana.open(f"{places.claims}/claims/CLM-1")
    tell.check(page.status == 403, "without a purpose nothing is shown")


def wes_revokes(stage: Stage) -> None:
    """Step 4: Wes takes it away; decision, introspection and refresh say no, and the app hears of it."""
    tell, places, wes = stage.teller, stage.places, stage.wes
    tell.scene("4. Wes takes the access away again")
    stage.tokens = stage.app.refresh(stage.tokens) or stage.tokens
    tell.check(stage.app.introspect(stage.tokens), "until now Ana's token is active, and the refresh works")
    bearer = {"Authorization": f"Bearer {stage.tokens.access.raw}"}
    with httpx2.Client(base_url=places.claims, headers=bearer, trust_env=False, timeout=10.0) as api:
        path = f"/api/claims/CLM-1?purpose={PURPOSE}"
        tell.check(api.get(path).status_code == 200, "the app's API answers to the token")
        account = stage.tokens.access.subject
        wes.open(f"{places.main}/p/prv_lakeside/people/{account}/change?line=medical")
        check = f"/p/prv_lakeside/people/{account}/change/check"
        wes.submit(check, {"bundle": "", "f": [], "end": "none"})
        began = time.monotonic()
        wes.submit(check, {"reason": "moved to another desk"}, button="Confirm")
        acknowledged = time.monotonic()
        statuses = [api.get(path).status_code]
        while statuses[-1] != 401 and time.monotonic() - acknowledged < 3.0:
            time.sleep(0.02)
            statuses.append(api.get(path).status_code)
        heard = time.monotonic() - acknowledged
        tell.answered(f"GET {shown(places.claims + path)} with the old token: {statuses[0]}, then {statuses[-1]}")
    tell.check("is changed" in wes.page.text, f"the removal is done ({1000 * (acknowledged - began):.0f} ms)")
    tell.check(200 not in statuses, "not one answer with data after the removal was acknowledged")
    tell.check(statuses[-1] == 401 and heard < 1.0, f"the app heard of it within a second ({1000 * heard:.0f} ms)")
    answer = _ask(stage)
    tell.check(isinstance(answer, Deny) and answer.reason == "entitlement_not_granted", "the next decision is no")
    tell.check(not stage.app.introspect(stage.tokens), "introspection calls the token inactive")
    tell.check(stage.app.refresh(stage.tokens) is None, "the refresh is refused")
    page = stage.ana.open(places.claims + CLAIM)
    tell.check(
        page.status == 403 and "Alvarez" not in page.text, "Ana, signed in anew without a question, sees no data"
    )


def sam_looks(stage: Stage) -> None:
    """Step 5: security finds each step in the log, and proves that nothing was changed or cut."""
    tell, places, sam = stage.teller, stage.places, stage.sam
    tell.scene("5. Sam from security reads the log and proves it whole")
    sam.open(f"{places.main}/security/search")
    _sign_in(stage, sam, SAM)
    tell.check(sam.page.path == "/security/search", "after password and second step he sees the search")
    account = stage.tokens.access.subject
    for event, words, holds in _EVENTS:
        page = sam.open(f"{places.main}/security/search?event={event}&person={account}")
        tell.check(page.status == 200 and "Nothing matches" not in page.text, f"found: {words}")
        if holds:
            number = next(address for _, address in page.links if address.startswith("/security/records/"))
            page = sam.open(places.main + number)
            missing = [text for text in (account, *holds) if text not in page.text]
            tell.check(not missing, f"its record says who, for which practice, from where and why ({', '.join(holds)})")
    tell.note("He proves the log: idp audit verify")
    done = subprocess.run(
        [sys.executable, "-m", "idp", "audit", "verify"],
        cwd=ROOT,
        env=places.environment("meridian"),
        capture_output=True,
        text=True,
        check=False,
    )
    for line in (done.stdout + done.stderr).strip().splitlines():
        tell.answered(line)
    tell.check(done.returncode == 0, "every record is there, unchanged and in its place")


def _to_organizations(browser: Browser) -> None:
    browser.follow("Find your organization")


def _say_who(person: DemoPerson) -> object:
    return lambda browser: browser.submit("/sign-in", {"username": person.user_name})


def _say_password(person: DemoPerson) -> object:
    return lambda browser: browser.submit("/sign-in/password", {"password": person.password})


def _choose_lakeside(browser: Browser) -> None:
    browser.submit("/practice", {"provider": "prv_lakeside"})


def _sign_in(stage: Stage, browser: Browser, person: DemoPerson) -> None:
    """Sign in with a local password and the second step, wherever the browser was going."""
    stage.teller.note(f"{person.name} signs in with a password and a second step.")
    pages = {
        "/sign-in": _say_who(person),
        "/sign-in/password": _say_password(person),
        "/sign-in/confirm": lambda each: stage.type_code(each, person),
    }
    browser.walk(lambda page: not page.path.startswith("/sign-in"), pages)  # type: ignore[arg-type]


def _ask(stage: Stage) -> Answer:
    answer = stage.app.ask(stage.tokens)
    stage.teller.answered(
        f"POST {stage.places.main}/access/v1/evaluation {{subject: {stage.tokens.access.subject}, "
        f"action: claim.status.view, resource: prv_lakeside, purpose: {PURPOSE}}}"
    )
    said = f"{type(answer).__name__.lower()} {answer.reason or ''} {answer.decision_id}: {answer.sentence}"
    stage.teller.answered(f"  {said}" if not isinstance(answer, Permit) else f"  permit {answer.decision_id}")
    return answer


def _reason(page: Page) -> str:
    """Return the sentence a sample app's refusal page shows."""
    start = page.html.find('<p class="reason">')
    return page.html[start:].split(">", 1)[1].split("</p>", 1)[0] if start >= 0 else page.title
