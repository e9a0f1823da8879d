"""`idp demo`: fill, start, say what to try, stop on Ctrl-C."""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from idp.demo import filling, processes
from idp.demo.people import ANA, EVERYBODY
from idp.demo.places import HOME, NAMES, DemoRefused, Places, chosen, refuse_taken
from idp.web import built

Say = Callable[[str], object]


def demo(
    *,
    fresh: bool = False,
    check: bool = False,
    code: str | None = None,
    folder: Path | None = None,
    port: int | None = None,
    say: Say = print,
) -> int:
    """Run the demo until Ctrl-C; return the exit status.

    `fresh` begins with an empty world, `check` stops again as soon as everything answers, `code` only prints
    the present one-time code of a person. `folder` and `port` (of the first of four servers) make it another demo
    than the usual one.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        places = Places((folder or HOME).absolute(), chosen(port))
        if code is not None:
            say(_person_code(places, code))
            return 0
        refuse_taken(places.ports)
        if lacking := built.missing():
            say(f"{lacking} {built.REPAIR}")
        say("Filling the demo world ...")
        link = filling.fill(places, fresh=fresh)
        say("Starting four servers ...")
        with processes.running(places) as servers:
            say(guide(places, link))
            if not check:
                _until_stopped(servers)
    except DemoRefused as problem:
        sys.stderr.write(f"idp: The demo can't go on.\n{problem}\n")
        return 1
    except KeyboardInterrupt:
        say("\nStopped.")
    return 0


def _until_stopped(servers: list[processes.Server]) -> None:
    while True:
        processes.refuse_dead(servers)
        time.sleep(0.5)


def _person_code(places: Places, key: str) -> str:
    person = next((each for each in EVERYBODY if each.key == key), None)
    if person is None:
        raise DemoRefused(f"  Nobody is called {key}; choose one of {', '.join(each.key for each in EVERYBODY)}.")
    try:
        return person.code(places)
    except OSError:
        raise DemoRefused("  The demo has not been filled yet. Run: idp demo") from None


def guide(places: Places, link: str | None) -> str:
    """Say where everything is, who to sign in as and what to try."""
    origins = (places.main, places.affiliate, places.claims, places.hsconnect)
    what = ("the identity service", "an affiliate's identity service", "a portal app", "the Medicare Advantage app")
    lines = ["", "The demo runs:"]
    lines += [f"  {name:<22} {origin}   {about}" for name, origin, about in zip(NAMES, origins, what, strict=True)]
    again = "idp demo" if places.home == HOME else f"idp demo --folder {places.home}"
    lines += ["", f"Who to sign in as (one-time code: `{again} --code NAME`, or put the key into an authenticator):"]
    for person in EVERYBODY:
        lines.append(f"  {person.name:<12} {person.who}")
        lines.append(
            f'  {"":<12} at {person.at}: user name {person.user_name}, password "{person.password}", '
            f"key {places.secret(f'{person.key}.totp')}, code now {person.code(places)}"
        )
    joined = (
        f"  1. Open Ana's invitation: {link}\n     and take it up with her login at Evergreen Health."
        if link
        else f"  1. Ana has joined already (`{again} --fresh` starts over)."
    )
    lines += [
        "",
        "What to try:",
        joined,
        f"  2. Open {places.claims} as Ana and look up CLM-1: nobody has given her this yet.",
        f"  3. In another browser sign in at {places.main}/sign-in as Wes, and open People of Lakeside Clinic.",
        f"     Make {ANA.name} a biller until some day.",
        "  4. Look up CLM-1 again, then CLM-2, CLM-3 and CLM-4. Remove Ana's access, and look once more.",
        f"  5. Sign in as Sam and open {places.main}/security/search.",
        f"     A case waits at {places.main}/security/cases: take it, ask Lakeside (Wes answers), decide.",
        "     It rests on four weeks of made-up work in the log, in which the detector found a second computer.",
        "     Sue is the second person where two must want something, and answers appeals.",
        f"     Lou answers the support line at {places.main}/support: find Ben there, and see why he can't open CLM-1.",
        "     Wes also has a review to answer (Reviews), and companies he can let work for Lakeside (Delegations).",
        f"  6. In a browser nobody has used, open {places.main}/register: a new user name, TIN 12-3456789.",
        f"     The mails this world would send, with their codes, stand at {places.main}/mailbox.",
        f"     Wes decides at {places.main}/p/prv_lakeside/inbox. Then add a login, or lose the phone: docs/users.md.",
        "  7. For developers: the client `analysis` may ask about the past and suppose changes, its secret is in",
        f"     {places.secrets / 'analysis.secret'}; with CLIENT, SECRET and ISSUER={places.main}",
        "     docs/apps.md and docs/deciding.md can be followed line by line. Tokens of `hsconnect` have their",
        "     status in a public list; its secret lies beside.",
        "  Or watch all of it: `make story` in another terminal.",
        "",
        f"Files, logs and secrets of the demo: {places.home}",
        "Ctrl-C stops everything.",
    ]
    return "\n".join(lines)
