"""The account in a browser: passkeys, the second step, a shared computer, one's data, leaving."""

from __future__ import annotations

import asyncio
import json

import pyotp
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Opens
from tests.browser.test_everyone import flawless
from tests.browser.window import Window
from tests.support import House

PASSWORD = "a quiet room at night"
ANSWERED = (
    "the server responded with a status of 403"  # a question, and the browser calls it an error
)


async def with_password(house: House, name: str) -> str:
    """The e-mail of a doctor with a password."""
    email = await house.doctor(name)
    doctor_id = await house.lounge.doctors.id_of(email)
    assert doctor_id
    code = await house.lounge.doctors.new_code(doctor_id)
    await house.lounge.doctors.set_password(email, code, PASSWORD, address="")
    return email


async def signs_in(window: Window, email: str, *, whose: str = "No, only me") -> None:
    page = window.page
    await page.get_by_label(whose).check()
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()


async def signs_out(window: Window) -> None:
    await window.page.get_by_role("button", name="Sign out").click()
    await expect(window.page.get_by_label("E-mail")).to_be_visible()


async def has_authenticator(page: Page) -> None:
    """A phone or a key beside this browser, whose owner always agrees."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    traits = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": traits})


@pytest.fixture
async def window(house: House, opens: Opens) -> Window:
    """At the door, by name: passkeys do not belong to numbers."""
    window = await opens()
    window.url = house.url.replace("127.0.0.1", "localhost")
    return window


@pytest.fixture(autouse=True)
def expected(window: Window) -> None:
    """Being asked something is no trouble."""
    window.page.remove_listener("console", window._heard)
    window.page.on("console", lambda said: None if ANSWERED in said.text else window._heard(said))


async def test_a_passkey_is_added_signs_in_alone_and_unlocks(house: House, window: Window) -> None:
    email = await with_password(house, "ana")
    page = window.page
    await has_authenticator(page)
    await window.goes("/account")
    await signs_in(window, email)
    await page.get_by_label("Name of the new passkey").fill("ward phone")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_role("button", name="Remove the passkey ward phone")).to_be_visible()
    await signs_out(window)
    await page.get_by_label("No, only me").check()
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.locator("room-list a").first.wait_for()
    await page.evaluate("fetch('/api/session/lock', {method: 'POST'})")
    await expect(page.get_by_role("heading", name="Locked")).to_be_visible()
    assert await page.locator("room-list").count() == 0
    await flawless(window)
    await page.get_by_role("button", name="Unlock with a passkey").click()
    await page.locator("room-list a").first.wait_for()


@pytest.mark.long
async def test_with_codes_on_the_door_asks_for_a_second_step(house: House, window: Window) -> None:
    email = await with_password(house, "chiara")
    page = window.page
    await window.goes("/account")
    await signs_in(window, email)
    await page.get_by_role("button", name="Turn on").click()
    await expect(page.get_by_role("img", name="QR code")).to_be_visible()
    await flawless(window)
    secret = (await page.locator(".own-codes code").inner_text()).replace(" ", "")
    await page.get_by_label("The code that the app shows now").fill(pyotp.TOTP(secret).now())
    await page.get_by_role("button", name="Confirm").click()
    await expect(page.get_by_text("Codes by an app are on.")).to_be_visible()
    await page.get_by_role("button", name="Make ten new ones").click()
    await expect(page.locator(".codes code")).to_have_count(10)
    codes = await page.locator(".codes code").all_inner_texts()
    await signs_out(window)
    await signs_in(window, email)
    await page.get_by_role("button", name="Use a recovery code instead").click()
    await page.get_by_label("One of your recovery codes").fill(codes[0])
    await page.get_by_role("button", name="Go on").click()
    await page.locator("room-list a").first.wait_for()
    await window.goes("/account")
    await expect(page.get_by_text("9 recovery codes are left.")).to_be_visible()


async def test_a_shared_computer_locks_and_keeps_nothing_but_the_page_itself(
    house: House, window: Window
) -> None:
    email = await with_password(house, "ben")
    page = window.page
    await page.clock.install()
    await window.goes("/rooms/world")
    await signs_in(window, email, whose="Yes, it is shared")
    await window.is_live()
    await window.writes("half a thought")
    kept = "JSON.stringify([{...localStorage}, {...sessionStorage}])"
    assert "half a thought" not in await page.evaluate(kept)
    await page.clock.fast_forward(10 * 60_000)
    await expect(page.get_by_role("heading", name="Locked")).to_be_visible()
    await expect(page.get_by_text("half a thought")).to_have_count(0)
    assert json.loads(await page.evaluate(kept)) == [{}, {}]
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Unlock").click()
    await expect(window.field).to_have_value("half a thought")


@pytest.mark.long
async def test_a_doctor_takes_her_data_and_leaves_after_showing_who_she_is(
    house: House, window: Window
) -> None:
    email = await with_password(house, "moira")
    page = window.page
    await window.goes("/account")
    await signs_in(window, email)
    await expect(page.get_by_role("button", name="Download")).to_be_visible()
    async with house.lounge.identity_database.writing() as connection:
        await connection.exec_driver_sql("UPDATE session SET fresh = 0")
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download").click()
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Go on").click()
    path = await (await download.value).path()
    taken = json.loads(await asyncio.to_thread(path.read_text, "utf-8"))
    assert taken["doctor"][0]["email"] == email
    await page.get_by_role("button", name="I want to leave").click()
    await page.get_by_role("button", name="Erase me and leave").click()
    await expect(page.get_by_text("You have left.")).to_be_visible()
    await house.lounge.accounts.leaving.erase_due()
    assert await house.lounge.doctors.id_of(email) is None
