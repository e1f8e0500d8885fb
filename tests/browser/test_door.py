"""Coming in: passwords, codes, languages, and who may not enter yet."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Opens
from tests.support import House

PASSWORD = "a quiet room at night"


async def test_a_doctor_sets_a_password_with_the_code_and_signs_in(
    house: House, opens: Opens
) -> None:
    email = await house.doctor("chiara")
    doctor_id = await house.lounge.doctors.id_of(email)
    assert doctor_id
    code = await house.lounge.doctors.new_code(doctor_id)
    window = await opens()
    await window.goes("/rooms/world")
    page = window.page
    await page.get_by_role("button", name="I have a one-time code").click()
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("One-time code").fill(code)
    await page.get_by_label("New password").fill(PASSWORD)
    await page.get_by_role("button", name="Set the password").click()
    await expect(page.get_by_role("status")).to_have_text(
        "Your password is set. You can sign in now."
    )
    await page.get_by_label("No, only me").check()
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await window.is_live()
    assert page.url.endswith("/rooms/world")


async def test_a_wrong_password_is_said_in_words(house: House, opens: Opens) -> None:
    window = await opens()
    await window.goes()
    await window.page.get_by_label("Yes, it is shared").check()
    await window.page.get_by_label("E-mail").fill(await house.doctor("ben"))
    await window.page.get_by_label("Password").fill("not this one")
    await window.page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(window.page.get_by_role("alert")).to_have_text(
        "The e-mail or the password is not right."
    )


@pytest.mark.long
async def test_the_door_speaks_french_before_anybody_is_known(opens: Opens) -> None:
    window = await opens()
    await window.goes()
    await window.page.get_by_role("button", name="Français", exact=True).click()
    await expect(window.page.get_by_role("button", name="Se connecter")).to_be_visible()
    await expect(window.page.locator("html")).to_have_attribute("lang", "fr")


@pytest.mark.long
async def test_a_french_doctor_finds_everything_in_french(opens: Opens) -> None:
    window = await opens("denis", "/rooms/specialty/family-medicine")
    page = window.page
    await window.is_live()
    await expect(page.get_by_role("heading", name="Médecine de famille")).to_be_visible()
    await expect(page.locator("message-composer .plain")).to_have_text(
        "Aucun patient ne doit être reconnaissable ici. Ceci n’est pas une ligne d’urgence."
    )
    await window.says("Bonsoir à tous")
    await expect((await window.sees("Bonsoir à tous")).locator("time")).to_have_text("à l’instant")
    await expect(page.locator("html")).to_have_attribute("lang", "fr")


async def test_whoever_is_not_verified_reads_what_is_missing(opens: Opens) -> None:
    window = await opens("dan", "/rooms/world")
    await expect(window.page.locator(".missing li")).to_have_text(
        "Your registration as a doctor has not been verified yet."
    )
    await expect(window.page.locator("message-log")).to_have_count(0)


@pytest.mark.long
async def test_one_press_walks_in_as_one_of_the_cast(opens: Opens) -> None:
    window = await opens()
    await window.goes("/rooms/specialty/cardiology")
    await window.page.get_by_role("button", name="Cardiology Canada").click()
    await window.is_live()
    assert window.page.url.endswith("/rooms/specialty/cardiology")


@pytest.mark.long
async def test_every_page_says_that_it_is_a_demonstration(opens: Opens) -> None:
    window = await opens()
    await window.goes()
    await expect(window.page.locator(".demo")).to_contain_text("Demonstration")
    await window.signs_in("moira")
    for path in ("/", "/rooms/world", "/search", "/account", "/moderation"):
        await window.goes(path)
        await expect(window.page.locator(".demo")).to_contain_text("everything here is made up")


async def test_a_session_ended_elsewhere_leads_back_to_the_door_with_the_reason(
    opens: Opens,
) -> None:
    here = await opens("ana", "/rooms/world")
    there = await opens("ana", "/account")
    await here.is_live()
    others = there.page.locator(
        ".own-things:not(.reaches) li", has=there.page.get_by_role("button")
    )
    await expect(others).not_to_have_count(0)
    while await others.count():
        left = await others.count()
        await others.first.get_by_role("button").click()
        await expect(others).to_have_count(left - 1)
    await expect(here.page.get_by_role("alert")).to_have_text(
        re.compile("You were signed out|You are signed out")
    )


async def test_signing_out_leaves_nothing_of_the_doctor_in_the_browser(opens: Opens) -> None:
    window = await opens("ben", "/rooms/world")
    await window.is_live()
    await window.writes("half a thought")
    await window.goes("/account")
    await window.page.get_by_role("button", name="Sign out").click()
    await window.page.locator(".card").first.wait_for()
    kept = await window.page.evaluate("[...Object.values({...localStorage, ...sessionStorage})]")
    assert "half a thought" not in "".join(kept)
    await window.goes("/rooms/world")
    await window.page.locator(".card").first.wait_for()


@pytest.mark.long
async def test_a_token_is_made_shown_once_and_ended(opens: Opens) -> None:
    window = await opens("chiara", "/account")
    page = window.page
    await page.get_by_label("Name of the new token").fill("ward display")
    await page.get_by_role("button", name="Make").click()
    token = await page.locator(".made code").inner_text()
    assert len(token) >= 20
    await page.reload()
    row = page.locator(".own-things li", has_text="ward display")
    await expect(row).to_have_count(1)
    assert token not in await page.content()
    await row.get_by_role("button").click()
    await expect(row).to_have_count(0)
