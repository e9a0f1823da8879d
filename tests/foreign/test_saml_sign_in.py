"""A person signs in through a SAML identity provider of other makers, npm's samlify: the way, and where it breaks."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from idp.accounts import linking, people
from idp.app import create_app
from idp.database import transaction
from idp.federation import upstreams
from idp.partners.tables import Partner
from idp.settings import Settings
from tests.browser import Browser
from tests.fakes.upstreams.saml_workshop import MFA
from tests.foreign import saml
from tests.foreign import world as foreign_world

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
"""What happens between the provider and us is the same on both databases."""
AAL1, AAL2 = (f"http://idmanagement.gov/ns/assurance/aal/{level}" for level in (1, 2))
CBC = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"


@pytest.fixture(scope="module")
def provider() -> Iterator[saml.ForeignSaml]:
    """Npm's samlify on loopback with Fran and Gus, one for a module's tests."""
    with saml.running() as made:
        yield made


class World(foreign_world.World[saml.ForeignSaml]):
    """With npm's samlify."""

    def sign_in(self, **mode: object) -> Browser:
        """Go there, come back."""
        self.foreign.mode(**mode)
        browser = self.browser()
        browser.get("/login/ups_foreign")
        assert browser.status == 200, browser.text
        return browser.submit("Go on")


@pytest.fixture
def world(settings: Settings, provider: saml.ForeignSaml) -> Iterator[World]:
    """Fran and Gus have accounts here with the foreign login; each side has the metadata of the other."""
    app = create_app(settings)
    database = app.state.service.database
    with TestClient(app, base_url=settings.issuer) as client:
        with transaction(database) as db:
            db.add(Partner(id="ptr_foreign", name="Foreign Health", kind="affiliate", status="active"))
            db.flush()
            upstreams.register(
                db,
                partner_id="ptr_foreign",
                display_name="Foreign Health",
                issuer=provider.issuer,
                kind="saml",
                algorithms=("RS256",),
                acr_map={MFA: AAL2},
                upstream_id="ups_foreign",
                saml={"metadata_url": f"{provider.issuer}/metadata"},
            )
            for name, user in saml.USERS.items():
                account = people.create(db, display_name=name.title(), emails=[f"{name}@example.com"])
                linking.link(db, account.id, upstream_id="ups_foreign", issuer=provider.issuer, subject=user["subject"])
        provider.load(client.get("/login/ups_foreign/metadata").text)
        yield World(database, provider, client, settings)


def test_ru3_a_person_signs_in_through_a_saml_provider_of_other_makers(world: World) -> None:
    browser = world.sign_in()
    assert browser.path == "/account"
    assert world.rows("SELECT partner_id, acr, upstream_sid FROM session") == [("ptr_foreign", AAL1, "fran-session")]
    assert world.sign_in(user="gus").path == "/account"
    assert world.rows("SELECT acr FROM session ORDER BY created_at DESC")[0] == (AAL2,)


@pytest.mark.parametrize(
    "mode",
    [
        {"message": True},
        {"encrypt": True},
        {"encrypt": True, "message": True, "order": "encrypt"},
        {"encrypt": True, "message": True, "order": "encrypt", "data": CBC},
    ],
    ids=["both signed", "encrypted", "encrypted, then signed", "chained cipher, then signed"],
)
def test_saml_whatever_it_signs_and_encrypts_is_read(world: World, mode: dict[str, object]) -> None:
    assert world.sign_in(**mode).path == "/account"


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ({"encrypt": True, "data": CBC}, "encryption_not_authenticated"),
        ({"algorithm": "http://www.w3.org/2000/09/xmldsig#rsa-sha1"}, "signature_wrong"),
        ({"algorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"}, "signature_wrong"),
        ({"in_response_to": "_another"}, "in_response_to"),
    ],
    ids=["chained cipher", "SHA-1", "an algorithm not in the record", "another request"],
)
def test_saml_its_answer_is_refused_where_ours_would_be(world: World, mode: dict[str, object], reason: str) -> None:
    browser = world.sign_in(**mode)
    assert browser.status == 502
    assert "Foreign Health" in browser.text
    assert world.rows("SELECT reason FROM audit_record WHERE event = 'federation.upstream.failed'") == [(reason,)]
    assert world.rows("SELECT id FROM session") == []


def test_saml_signing_out_over_there_ends_the_session_here_and_it_reads_our_answer(world: World) -> None:
    browser = world.sign_in()
    browser.get(f"{world.foreign.issuer}/logout?user=fran")
    assert browser.url.startswith(f"{world.foreign.issuer}/slo"), browser.text
    assert browser.status == 200, browser.text  # it has verified our signature and read the status
    assert world.rows("SELECT ended_because FROM session") == [("signed_out_at_organization",)]


@pytest.mark.parametrize("binding", ["redirect", "post"])
def test_saml_signing_out_here_goes_on_over_there_and_we_read_its_answer(world: World, binding: str) -> None:
    browser = world.sign_in(slo=binding)
    with transaction(world.database) as db:
        text = world.foreign.site.get(f"{world.foreign.issuer}/metadata").text
        upstreams.change(db, "ups_foreign", saml={"metadata": text, "metadata_url": None})
    browser.get("/sign-out").submit("Sign out").click("Sign out there too")
    if binding == "post":
        browser.submit("Continue").submit("Go on")
    assert "Foreign Health says that you are signed out there too" in browser.text
    told = world.foreign.site.get(f"{world.foreign.issuer}/ended").json()[-1]  # it has verified our signature
    assert (told["nameID"], told["sessionIndex"]) == ("fran-7f3a", "fran-session")
    assert world.rows("SELECT ended_because FROM session") == [("signed_out",)]
