"""Signing in with another house: a real provider beside us, a browser that goes there and comes back."""

from __future__ import annotations

import secrets
import tomllib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from lounge.clock import now_ms
from lounge.credentials import houses
from lounge.credentials.claims import Claim
from lounge.credentials.oidc import Answer
from lounge.credentials.providers import Provider, read_providers
from lounge.credentials.records import claim_of
from lounge.credentials.verification import VerificationFileError
from storage import officers, oidc_links, sanctions
from tests.processes import Running
from tests.stores import Clock
from tests.support import PATIENCE_SECONDS, House, http_client, open_house

HOSPITAL = """
[[oidc]]
name = "hospital"
title = {{ en = "Our hospital", fr = "Notre hôpital" }}
issuer = "{issuer}"
client_id = "lounge"
client_secret = "a secret"
scopes = ["openid", "profile", "email"]
strong = true
by_email = true
require = {{ profession = ["physician"] }}

[[oidc]]
name = "national"
issuer = "{issuer}"
client_id = "lounge"
client_secret = "another"
scopes = ["openid", "profile"]
acr_values = "eidas1"
strong = true
body = "fr.rpps"
licence_pattern = '8(\\d{{11}})'
claims = {{ name = ["given_name", "family_name"], licence = "SubjectNameID" }}
require = {{ "SubjectRefPro.exercices.codeProfession" = ["10"] }}
"""
RPPS = "10003378220"


@dataclass(slots=True)
class Others:
    """The other house: who is known there, and what of."""

    url: str

    async def knows(self, subject: str, **claims: Any) -> None:
        async with http_client() as client:
            (await client.put(f"{self.url}/users/{subject}", json=claims)).raise_for_status()

    async def removes(self, subject: str) -> None:
        """Nothing that was given out for her is good any more."""
        async with http_client() as client:
            (await client.post(f"{self.url}/users/{subject}/revoke-tokens")).raise_for_status()

    async def shut(self, method: str) -> None:
        async with http_client() as client:
            await client.request(method, f"{self.url}/shut")


@pytest.fixture(scope="module")
def others() -> Iterator[Others]:
    process = Running("-m", "tests.other_house")
    try:
        yield Others(f"http://localhost:{process.heard('It serves at').split()[-1]}")
    finally:
        process.close()


@pytest.fixture(scope="module")
async def house(
    others: Others, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("oidc")
    file = folder / "verification.toml"
    file.write_text(HOSPITAL.format(issuer=others.url), "utf-8")
    async with open_house(
        folder, redis_url, verification="hospital", verification_file=file
    ) as house:
        yield house


@pytest.fixture(autouse=True)
def asked_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(houses, "_ANOTHER_MAY_HAVE_ASKED_SECONDS", 0)


async def ana_at(house: House, others: Others, **claims: Any) -> tuple[str, str]:
    """Her e-mail here, where she is not verified yet, and her subject there."""
    name = f"ana{secrets.token_hex(4)}"
    email, subject = await house.doctor(name, verified=False), f"subject-{name}"
    told: dict[str, Any] = {
        "name": f"Dr {name.title()} Canaryfeather",
        "given_name": name.title(),
        "family_name": "Canaryfeather",
        "email": email,
        "email_verified": True,
    }
    await others.knows(subject, **{**told, "profession": "physician", **claims})
    return email, subject


def browser_for(house: House) -> httpx2.AsyncClient:
    """One that keeps its cookies."""
    return http_client(base_url=house.url, timeout=PATIENCE_SECONDS)


async def go(
    browser: httpx2.AsyncClient, subject: str, provider: str = "hospital", **asked: str
) -> str:
    """Away, sign in there, and back: where she comes to."""
    back = await leave(browser, subject, provider, **asked)
    return (await browser.get(back)).headers["location"]


async def leave(
    browser: httpx2.AsyncClient, subject: str, provider: str = "hospital", **asked: str
) -> str:
    """The address that the provider sends her back to."""
    started = await browser.get(f"/api/oidc/{provider}/start", params=asked)
    assert started.status_code == 303
    async with http_client() as there:
        signed_in = await there.post(started.headers["location"], data={"sub": subject})
    location: str = signed_in.headers["location"]
    return location


async def standing(house: House, email: str) -> tuple[str, str | None]:
    """As the sources say now."""
    doctor_id = await house.lounge.doctors.id_of(email)
    assert doctor_id
    who = await house.lounge.applications.examine(doctor_id)
    return who.state, who.reason


async def found(house: House, email: str, source: str) -> str:
    doctor_id = await house.lounge.doctors.id_of(email)
    assert doctor_id
    _, findings = await house.lounge.applications.see(doctor_id)
    return next(each.reason for each in findings if each.source == source)


async def test_a_doctor_of_the_hospital_signs_in_there_and_is_verified(
    house: House, others: Others
) -> None:
    email, subject = await ana_at(house, others)
    async with browser_for(house) as browser:
        listed = (await browser.get("/api/oidc")).json()["providers"]
        assert await go(browser, subject) == "/"
        session = (await browser.get("/api/session")).json()
        assert "lounge_errand" not in browser.cookies
    assert [each["name"] for each in listed] == ["hospital", "national"]
    assert listed[0]["title"] == {"en": "Our hospital", "fr": "Notre hôpital"}
    assert session["verified"] is True
    assert await standing(house, email) == ("verified", None)


@pytest.mark.parametrize(("shared", "kind"), [("yes", "shared"), ("no", "own"), ("?", "plain")])
async def test_whose_computer_it_is_goes_along_and_comes_back(
    house: House, others: Others, shared: str, kind: str
) -> None:
    _, subject = await ana_at(house, others)
    async with browser_for(house) as browser:
        assert await go(browser, subject, shared=shared) == "/"
        (line,) = (await browser.get("/api/sessions")).json()["sessions"]
        assert line["kind"] == kind
        assert ("lounge_device" in browser.cookies) == (kind == "own")


async def test_without_the_profession_no_room_opens(house: House, others: Others) -> None:
    none: list[str] = []
    for profession in ("porter", None, none):
        email, subject = await ana_at(house, others, profession=profession)
        async with browser_for(house) as browser:
            assert await go(browser, subject) == "/"
            assert (await browser.get("/api/session")).json()["verified"] is False
        assert await found(house, email, "oidc:hospital") == "house_profession"


async def test_another_name_there_opens_no_room(house: House, others: Others) -> None:
    email, subject = await ana_at(house, others, name="Ben Somebody")
    async with browser_for(house) as browser:
        await go(browser, subject)
    assert await found(house, email, "oidc:hospital") == "house_name"
    assert (await standing(house, email))[0] != "verified"


async def test_who_is_removed_there_is_revoked_here(
    house: House, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    email, subject = await ana_at(house, others)
    async with browser_for(house) as browser:
        await go(browser, subject)
    house.doctors["removed"] = email
    monkeypatch.setattr(houses, "JUST_NOW_MS", 0)
    assert await standing(house, email) == ("verified", None)  # by her refresh token
    assert await standing(house, email) == ("verified", None)  # and by the next
    doctor_id = await house.lounge.doctors.id_of(email)
    assert doctor_id
    await house.lounge.applications.accept(doctor_id, 1)
    guest = await house.guest("removed", "world")
    await others.removes(subject)
    state, _ = await standing(house, email)
    assert state != "verified"
    assert await guest.closed() == 4503
    assert await found(house, email, "oidc:hospital") == "house_removed"
    assert (await standing(house, email))[0] != "verified"  # and stays so
    async with browser_for(house) as browser:
        await go(browser, subject)  # they have taken her back
        assert (await browser.get("/api/session")).json()["verified"] is True


async def test_whose_profession_ends_there_is_revoked_here(
    house: House, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    email, subject = await ana_at(house, others)
    async with browser_for(house) as browser:
        await go(browser, subject)
    monkeypatch.setattr(houses, "JUST_NOW_MS", 0)
    name = f"Dr {email.split('.')[0].title()} Canaryfeather"
    await others.knows(subject, name=name, email=email)
    assert (await standing(house, email))[0] != "verified"
    assert await found(house, email, "oidc:hospital") == "house_profession"


async def test_a_provider_that_is_away_puts_nobody_out_and_lets_nobody_in(
    house: House, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    email, subject = await ana_at(house, others)
    async with browser_for(house) as browser:
        await go(browser, subject)
        back = await leave(browser, subject)
        monkeypatch.setattr(houses, "JUST_NOW_MS", 0)
        await others.shut("PUT")
        try:
            assert await standing(house, email) == ("verified", None)
            assert (await browser.get(back)).headers["location"] == "/?oidc=away"
        finally:
            await others.shut("DELETE")
    assert await standing(house, email) == ("verified", None)


async def test_what_was_said_is_good_once_as_long_while_the_provider_is_away(
    house: House, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    email, subject = await ana_at(house, others)
    async with browser_for(house) as browser:
        await go(browser, subject)
    claim, hospital = await claimed(house, email), house.lounge.houses["hospital"]
    now = now_ms()
    await others.shut("PUT")
    try:
        for hours, verdict in ((1, "agrees"), (25, "agrees"), (49, "away")):
            monkeypatch.setattr(hospital, "_clock", Clock(now + hours * 3_600_000))
            finding = await hospital.examine(claim)
            assert finding
            assert finding.verdict == verdict
    finally:
        await others.shut("DELETE")


async def test_without_a_refresh_token_she_signs_in_again_in_time(
    house: House, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    email, subject = await ana_at(house, others)
    async with browser_for(house) as browser:
        await go(browser, subject)
    claim, hospital = await claimed(house, email), house.lounge.houses["hospital"]
    async with house.lounge.identity_database.writing() as connection:
        link = await oidc_links.by_doctor(connection, "hospital", claim.doctor_id)
        assert link
        said = hospital._unsealed(link)
        assert said
        assert said.refresh
        forgetful = hospital._sealed(link.doctor, Answer(said.told, None))
        assert await oidc_links.confirm(connection, link, forgetful, link.confirmed)
    for hours, expected in ((23, "house_agrees"), (25, "house_again")):
        monkeypatch.setattr(hospital, "_clock", Clock(link.confirmed + hours * 3_600_000))
        finding = await hospital.examine(claim)
        assert finding
        assert finding.reason == expected


async def claimed(house: House, email: str) -> Claim:
    doctor_id = await house.lounge.doctors.id_of(email)
    assert doctor_id
    return claim_of((await house.lounge.applications.see(doctor_id))[0])


async def test_who_is_not_known_here_is_told_so(house: House, others: Others) -> None:
    _, unchecked = await ana_at(house, others, email_verified=False)
    await others.knows("stranger", name="A Stranger", email="x@y.test", email_verified=True)
    async with browser_for(house) as browser:
        for subject in (unchecked, "stranger"):
            assert await go(browser, subject) == "/?oidc=unknown"
        assert (await browser.get("/api/session")).status_code == 401
        assert (await browser.get("/api/oidc/nobody/start")).status_code == 404


async def test_who_declines_there_is_not_signed_in_here(house: House) -> None:
    async with browser_for(house) as browser:
        started = await browser.get("/api/oidc/hospital/start")
        state = parse_qs(urlsplit(started.headers["location"]).query)["state"][0]
        back = f"/api/oidc/hospital/return?error=access_denied&state={state}"
        assert (await browser.get(back)).headers["location"] == "/?oidc=refused"
        assert (await browser.get("/api/session")).status_code == 401


async def test_only_the_browser_that_left_comes_back(house: House, others: Others) -> None:
    _, subject = await ana_at(house, others)
    async with (
        browser_for(house) as browser,
        browser_for(house) as other,
        browser_for(house) as fresh,
    ):
        hers = await leave(browser, subject)
        await leave(other, subject)
        assert (await fresh.get(hers)).headers["location"] == "/?oidc=expired"
        assert (await other.get(hers)).headers["location"] == "/?oidc=expired"
        elsewhere = hers.replace("/hospital/", "/national/")
        assert (await browser.get(elsewhere)).headers["location"] == "/?oidc=expired"
        assert (await browser.get(hers)).headers["location"] == "/"
        assert (await browser.get(hers)).headers["location"] == "/?oidc=expired"  # once


async def test_a_code_that_somebody_else_was_given_opens_nothing(
    house: House, others: Others
) -> None:
    _, subject = await ana_at(house, others)
    async with browser_for(house) as browser, browser_for(house) as thief:
        stolen = parse_qs(urlsplit(await leave(browser, subject)).query)["code"][0]
        own = urlsplit(await leave(thief, subject))
        state = parse_qs(own.query)["state"][0]
        back = await thief.get(f"{own.path}?code={stolen}&state={state}")
        assert back.headers["location"] == "/?oidc=refused"
        assert (await thief.get("/api/session")).status_code == 401


async def test_an_errand_that_took_too_long_is_over(
    house: House, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, subject = await ana_at(house, others)
    monkeypatch.setattr(houses, "ERRAND_MS", 0)
    async with browser_for(house) as browser:
        assert await go(browser, subject) == "/?oidc=expired"


async def test_a_national_credential_is_linked_by_who_is_signed_in_and_by_nobody_else(
    house: House, others: Others
) -> None:
    email, subject = await ana_at(
        house,
        others,
        SubjectNameID=f"8{RPPS}",
        SubjectRefPro={"exercices": [{"codeProfession": "60"}, {"codeProfession": "10"}]},
    )
    other, _ = await ana_at(house, others)
    async with browser_for(house) as browser:
        assert await go(browser, subject, "national") == "/?oidc=unknown"
        await signed_in(house, browser, email)
        assert await go(browser, subject, "national") == "/"
        assert (await browser.get("/api/session")).json()["verified"] is True
    async with browser_for(house) as browser:
        assert await go(browser, subject, "national") == "/"  # by the link, from now on
        await signed_in(house, browser, other)
        assert await go(browser, subject, "national") == "/?oidc=taken"
    doctor_id = await house.lounge.doctors.id_of(email)
    assert doctor_id
    who, _ = await house.lounge.applications.see(doctor_id)
    assert (who.body, who.licence) == ("fr.rpps", RPPS)
    assert who.licence_mark is not None


async def her_id(house: House, others: Others, subject: str | None = None) -> tuple[str, str]:
    """A doctor without a licence number whom the hospital has verified, and her subject there."""
    email, new = await ana_at(house, others)
    if subject:
        name = f"Dr {email.partition('.')[0].title()} Canaryfeather"
        told = {"name": name, "email": email, "email_verified": True, "profession": "physician"}
        await others.knows(subject, **told)
    async with browser_for(house) as browser:
        assert await go(browser, subject or new) == "/"
    doctor_id = await house.lounge.doctors.id_of(email)
    assert doctor_id
    return doctor_id, subject or new


@pytest.mark.parametrize("is_suspended", [False, True])
async def test_leaving_is_no_way_out_for_who_has_no_licence_number(
    house: House, others: Others, is_suspended: bool
) -> None:
    lounge = house.lounge
    doctor_id, subject = await her_id(house, others)
    async with lounge.identity_database.reading() as connection:
        mark = await officers.licence_of(connection, doctor_id)
    assert mark
    async with lounge.database.writing() as connection:
        made = lounge.sanctions.new(doctor_id, mark, room=None, until=None, reason="rude")
        await sanctions.add(connection, made)
    if is_suspended:
        await lounge.applications.suspend(doctor_id)
    await lounge.accounts.leaving.leave(doctor_id)
    await lounge.accounts.leaving.erase_due()
    again, _ = await her_id(house, others, subject)
    assert again != doctor_id
    assert [each.reason for each in lounge.sanctions.of(again)] == ["rude"]
    who, _ = await lounge.applications.see(again)
    here = ("refused", "licence_banned") if is_suspended else ("verified", None)
    assert (who.state, who.reason) == here


async def test_who_has_left_is_signed_in_by_no_house_while_her_rows_are_on_hold(
    house: House, others: Others
) -> None:
    doctor_id, subject = await her_id(house, others)
    await house.lounge.doctors.hold(doctor_id, True)
    await house.lounge.accounts.leaving.leave(doctor_id)
    async with browser_for(house) as browser:
        assert await go(browser, subject) == "/?oidc=unknown"


async def test_an_open_page_is_not_enough_to_link_another_sign_in(
    house: House, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    email, _ = await ana_at(house, others)
    async with browser_for(house) as browser:
        await signed_in(house, browser, email)
        monkeypatch.setattr("lounge.proofs.FRESH_MS", 0)
        started = await browser.get("/api/oidc/hospital/start")
        assert started.headers["location"] == "/?oidc=fresh"


async def signed_in(house: House, browser: httpx2.AsyncClient, email: str) -> None:
    doctor_id = await house.lounge.doctors.id_of(email)
    assert doctor_id
    _, secret = await house.lounge.doctors.enter_as(doctor_id, label="test")
    browser.cookies.set("lounge_session", secret, domain="127.0.0.1", path="/")


# -- what a provider says, in our words ----------------------------------------------------------


def sample(name: str) -> Provider:
    """As it stands in the page, with the secret that its operator has."""
    page = Path(__file__).parents[1] / "docs" / "verification.md"
    blocks = page.read_text("utf-8").split("```toml\n")[1:]
    tables = [
        {**table, "client_secret_file": None}
        for block in blocks
        for table in tomllib.loads(block.split("```")[0]).get("oidc", [])
    ]
    providers = {each.name: each for each in read_providers(tables)}
    return providers[name]


def test_the_sample_of_pro_sante_connect_knows_a_doctor_from_a_nurse() -> None:
    said = {
        "sub": "f:550e:899700218896",
        "given_name": "KIT",
        "family_name": "DOC0021889",
        "SubjectNameID": f"8{RPPS}",
        "SubjectRefPro": {"exercices": [{"codeProfession": "10"}]},
        "acr": "eidas1",
    }
    provider = sample("psc")
    told = provider.told(said)
    assert (told.name, told.licence, told.meets) == ("KIT DOC0021889", RPPS, True)
    nurse = {**said, "SubjectRefPro": {"exercices": [{"codeProfession": "60"}]}}
    assert not provider.told(nurse).meets
    assert not provider.told({**said, "SubjectRefPro": {}}).meets
    assert provider.told({**said, "SubjectNameID": "3123456789"}).licence is None
    assert provider.strong


def test_the_sample_of_nhs_cis2_takes_who_is_on_the_medical_register() -> None:
    said = {
        "sub": "500000000000",
        "given_name": "Chiara",
        "family_name": "Roy",
        "gmc_id": "C1234567",
        "id_assurance_level": "3",
        "authentication_assurance_level": "3",
    }
    provider = sample("cis2")
    assert provider.told(said).licence == "1234567"
    assert provider.told(said).meets
    assert provider.told({**said, "gmc_id": ""}).licence is None
    assert not provider.told({**said, "authentication_assurance_level": "1"}).meets


GOOD = {"name": "x", "issuer": "https://x.example", "client_id": "c", "require": {"p": ["q"]}}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": "X Y"}, "small letters"),
        ({"issuer": "http://x.example"}, "https://"),
        ({"require": {}}, "require a profession"),
        ({"require": {}, "covers": ["person"], "strong": True}, "covers both"),
        ({"claims": {"licence": "n"}}, "body must be"),
        ({"claims": {"colour": "n"}}, "claims may be"),
        ({"licence_pattern": "8"}, "one group"),
        ({"licence_pattern": "("}, "x"),
        ({"client_secret_file": "/nowhere/at/all"}, "cannot be read"),
        ({"recheck_hours": 0}, "at least 1"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_table_that_cannot_be_followed_is_named(change: dict[str, Any], why: str) -> None:
    assert read_providers([GOOD])
    with pytest.raises(VerificationFileError, match=why):
        read_providers([{**GOOD, **change}])


def test_two_tables_of_one_name_are_refused() -> None:
    with pytest.raises(VerificationFileError, match="same name"):
        read_providers([GOOD, GOOD])


def test_a_secret_is_read_from_a_file_and_shown_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hidden\n")
    (provider,) = read_providers([{**GOOD, "client_secret_file": str(file)}])
    assert provider.secret == "hidden"
    assert "hidden" not in repr(replace(provider, name="y"))
