"""The demo world as fixtures: the same file the demo applies, on a fresh database of either engine.

pytest_plugins or `from tests.world import world  # noqa: F401` in a conftest; then
def test_...(world: World): world.database, world.wes, world.lakeside, world.person("sam") ...
"""

from dataclasses import dataclass
from pathlib import Path

import pytest

from idp.apply.run import apply_file
from idp.audit import origin
from idp.database import Database, transaction
from idp.demo import filling
from idp.demo.people import EVERYBODY, DemoPerson
from idp.demo.places import Places
from idp.entitlements import catalog
from idp.oauth import keys
from idp.registration import accepting, invitations
from idp.settings import Settings

LAKESIDE, HARBOR, MERIDIAN = "prv_lakeside", "prv_harbor", "prv_meridian"


@dataclass(frozen=True, slots=True)
class World:
    """The demo world, filled into one fresh database."""

    database: Database
    settings: Settings
    places: Places
    wes: str = "acc_wes"
    hana: str = "acc_hana"
    ben: str = "acc_ben"
    sam: str = "acc_sam"
    lakeside: str = LAKESIDE
    harbor: str = HARBOR
    insurer: str = MERIDIAN

    def person(self, key: str) -> DemoPerson:
        """Return what a person types to sign in: user name, password, `code(places)`."""
        return next(each for each in EVERYBODY if each.key == key)

    def ana(self, *, status: str = "active") -> str:
        """Bring Ana in by an invitation of Wes, and return her account id."""
        with origin.acting_as(self.wes), transaction(self.database) as db:
            invitation, _ = invitations.invite(
                db, invited_by=self.wes, display_name="Ana Ruiz", provider_id=self.lakeside
            )
            account = accepting.accept(db, invitation.id)
            account.status = status
            db.add(account)
            return account.id


@pytest.fixture
def world(database: Database, settings: Settings, tmp_path: Path) -> World:
    """The demo world on a fresh database; runs once on each engine."""
    places = Places(tmp_path / "demo")
    filling.prepare(places)
    with origin.acting_as("operator"), transaction(database) as db:
        catalog.load_default(db)
    keys.ensure(database)
    apply_file(database, places.secrets / "meridian.yaml")
    return World(database, settings, places)
