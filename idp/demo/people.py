"""Who can sign in to the demo. The passwords are public: nothing but this world can be reached with them."""

import time
from dataclasses import dataclass

import pyotp

from idp.demo.places import Places


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """One person of the world, as the demo prints them."""

    key: str
    name: str
    who: str
    at: str
    user_name: str
    password: str

    def code(self, places: Places, *, steps: int = 0) -> str:
        """Return the authenticator's present code, or the one `steps` half-minutes later."""
        return pyotp.TOTP(places.secret(f"{self.key}.totp")).at(int(time.time()) + 30 * steps)


ANA = DemoPerson(
    "ana", "Ana Ruiz", "works at Lakeside Clinic; signs in at Evergreen Health", "Evergreen", "ana.ruiz",
    "thimble orchid canyon 58",
)  # fmt: skip
WES = DemoPerson(
    "wes", "Wes Kane", "access manager of Lakeside Clinic", "Meridian", "wes", "otter violin granite 74"
)  # fmt: skip
HANA = DemoPerson(
    "hana", "Hana Brandt", "access manager of Harbor Imaging", "Meridian", "hana", "walnut comet ribbon 63"
)  # fmt: skip
BEN = DemoPerson(
    "ben", "Ben Ortiz", "front desk of Lakeside Clinic, for Medicare Advantage", "Meridian", "ben",
    "pepper glacier banjo 29",
)  # fmt: skip
SAM = DemoPerson(
    "sam", "Sam Adeyemi", "security analyst of Meridian Health Plan", "Meridian", "sam", "copper meadow lantern 37"
)  # fmt: skip
SUE = DemoPerson(
    "sue", "Sue Lind", "another security analyst: the second word, and appeals", "Meridian", "sue",
    "velvet harbor pencil 46",
)  # fmt: skip
LOU = DemoPerson(
    "lou", "Lou Danvers", "support desk of Meridian Health Plan: looks up, explains, gives nothing", "Meridian", "lou",
    "anchor maple trumpet 52",
)  # fmt: skip
IRIS = DemoPerson(
    "iris", "Iris Moreno", "administrator of Brightwater Billing, which works for practices", "Meridian", "iris",
    "saddle meteor thistle 81",
)  # fmt: skip
EVERYBODY = (ANA, WES, HANA, BEN, SAM, SUE, LOU, IRIS)
