"""Joining in the browser: applying, waiting, the registrar's board, and what is accepted first."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import FilePayload, Page, expect

from tests.browser.conftest import Opens
from tests.browser.test_account import has_authenticator
from tests.browser.test_everyone import LOOKS, PHONE, flawless
from tests.browser.window import Window
from tests.support import House, open_house, until

PASSWORD = "a quiet room at night"
SOURCES = """
institutions = ["heart.example"]

[[oidc]]
name = "hospital"
title = { en = "Our hospital", fr = "Notre hôpital" }
issuer = "http://localhost:9"
client_id = "lounge"
client_secret = "a secret"
require = { profession = ["physician"] }
"""
PDF: FilePayload = {
    "name": "licence.pdf",
    "mimeType": "application/pdf",
    "buffer": b"%PDF-1.7 made up",
}
_SIDEWAYS = """[...document.querySelectorAll('body *')].filter((one) => !one.closest('.unseen')
  && one.getBoundingClientRect().right > 361).map((one) => one.outerHTML.slice(0, 80))"""
SCREENS = ("What this is not", "What never to post", "Who runs it, and who could learn who you are")


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    """A lounge that believes letters to one hospital."""
    folder: Path = tmp_path_factory.mktemp("joining")
    sources = folder / "verification.toml"
    sources.write_text(SOURCES, "utf-8")
    async with open_house(folder, redis_url, demo=True, verification_file=sources) as house:
        yield house


async def test_from_the_form_to_the_rooms_and_out_again(house: House, opens: Opens) -> None:
    """Two sources, three screens, a passkey, three faces; then suspended, and told why."""
    window = await opens()
    window.url = house.url.replace("127.0.0.1", "localhost")  # passkeys do not belong to numbers
    page = window.page
    await has_authenticator(page)
    ana = {"name": "Ana Canaryfeather", "country": "US", "body": "us.npi", "licence": "1234567893"}
    await applies(window, "ana@heart.example", **ana)
    await confirms(house, page, "ana@heart.example")
    await expect(page.locator(".finding").first).to_contain_text("Address at an institution")
    await expect(page.locator(".steps .due")).to_have_count(1)
    await page.get_by_text("Send a document", exact=True).click()
    await page.locator("#field-document").set_input_files(PDF)
    await expect(page.get_by_role("status")).to_have_text("licence.pdf has arrived.")
    registrar = await as_registrar(house, opens)
    await registrar.page.get_by_role("button", name="Ana Canaryfeather").click()
    await expect(registrar.page.locator(".application")).to_contain_text("licence.pdf")
    await registrar.page.get_by_role("button", name="Verify").click()
    await expect(
        registrar.page.get_by_text("Noted: your word counts as one source.")
    ).to_be_visible()
    await page.get_by_role("button", name="Look again").click()
    for title in SCREENS:
        await expect(page.get_by_role("heading", name=title)).to_be_focused()
        await page.locator("button.primary").click()
    await page.get_by_label("A made-up name").check()
    await page.get_by_role("button", name="To the rooms").click()
    await page.locator("room-list a").first.wait_for()
    await signs_in_with_a_new_passkey(window)
    await window.enters("specialty/cardiology")
    await window.says("let in by two sources")
    made_up = (await window.sees("let in by two sources")).locator(".name")
    await expect(made_up).not_to_contain_text("Canaryfeather")
    await wears(window, "My screen name", screen_name="Plume du soir")
    assert await says_as(window, "by my screen name") == "Plume du soir"
    await wears(window, "My real name")
    assert await says_as(window, "by my own name") == "Ana Canaryfeather"
    doctor_id = await house.lounge.doctors.id_of("ana@heart.example")
    assert doctor_id
    await house.lounge.applications.suspend(doctor_id)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your access is suspended")
    await expect(page.locator(".standing")).to_contain_text("Whoever runs the lounge has closed")
    await page.goto(f"{window.url}/rooms/specialty/cardiology")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your access is suspended")
    # what her page asked for in the moment of her suspension was refused
    window.troubles = [each for each in window.troubles if "403 (Forbidden)" not in each]


async def signs_in_with_a_new_passkey(window: Window) -> None:
    """Adds one on the account's sheet, goes out, and comes in by nothing else."""
    page = window.page
    await window.goes("/account")
    await page.get_by_label("Name of the new passkey").fill("ward phone")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_role("button", name="Remove the passkey ward phone")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_label("No, only me").check()
    await page.get_by_role("button", name="Sign in with Our hospital").click()
    await expect(page.get_by_role("alert")).to_contain_text("The other sign-in does not answer")
    await expect(page).to_have_url(f"{window.url}/")
    await page.get_by_label("No, only me").check()
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.locator("room-list a").first.wait_for()


async def wears(window: Window, face: str, *, screen_name: str = "") -> None:
    """From now on in this room, whatever the dialog shows her first."""
    page = window.page
    await page.locator(".face").click()
    await page.get_by_label(face).check()
    if screen_name:
        await page.get_by_label("Screen name", exact=True).fill(screen_name)
        await page.get_by_role("button", name="Set the name").click()
        await expect(page.locator("dialog .seen .name")).to_have_text(screen_name)
    await page.get_by_role("button", name="Speak like this in this room").click()
    await page.locator("dialog").wait_for(state="detached")


async def says_as(window: Window, text: str) -> str:
    """The name that stands over what she says."""
    await window.says(text)
    return await (await window.sees(text)).locator(".name").inner_text()


@pytest.mark.long
async def test_a_refusal_is_told_with_its_reason_and_the_next_step(
    house: House, opens: Opens
) -> None:
    window = await opens()
    await applies(window, "ben@elsewhere.example", name="Ben Canaryfeather")
    await confirms(house, window.page, "ben@elsewhere.example")
    registrar = await as_registrar(house, opens)
    await registrar.page.get_by_role("button", name="Ben Canaryfeather").click()
    await registrar.page.get_by_label("Reason, if you refuse").select_option("documents_differ")
    await registrar.page.get_by_role("button", name="Refuse").click()
    await expect(registrar.page.get_by_text("Refused.")).to_be_visible()
    await window.page.get_by_role("button", name="Look again").click()
    await expect(window.page.get_by_role("heading", level=1)).to_have_text(
        "Your application was refused"
    )
    await expect(window.page.locator(".standing")).to_contain_text("Correct your name")
    await expect(window.page.locator(".finding.disagrees")).to_have_count(1)
    async with window.page.expect_download():
        await window.page.get_by_role("button", name="Download").click()
    await window.page.get_by_role("button", name="I want to leave").click()
    await window.page.get_by_role("button", name="Erase me and leave").click()
    await expect(window.page.get_by_text("You have left.")).to_be_visible()


async def test_a_wrong_check_digit_is_said_at_once_and_nothing_typed_is_lost(opens: Opens) -> None:
    window = await opens()
    await applies(window, "dan@heart.example", country="US", body="us.npi", licence="1234567890")
    await expect(window.page.get_by_role("alert")).to_contain_text("check digit")
    await expect(window.page.locator('[name="email"]')).to_have_value("dan@heart.example")
    await window.page.get_by_role("button", name="Français").click()
    await expect(window.page.locator('[name="licence"]')).to_have_value("1234567890")
    await expect(window.page.locator('[name="body"]')).to_have_value("us.npi")
    window.troubles.clear()  # the browser itself writes of every answer 400


@pytest.mark.long
async def test_about_this_lounge_is_one_press_from_the_composer(opens: Opens) -> None:
    window = await opens("ana", "/rooms/world")
    await window.is_live()
    await window.page.get_by_role("button", name="About this lounge").click()
    dialog = window.page.locator("dialog.about-lounge")
    for title in (*SCREENS, "Your writing can give you away"):
        await expect(dialog.get_by_role("heading", name=title)).to_be_visible()
    await flawless(window)


async def test_a_verified_doctor_vouches_from_the_account_sheet(opens: Opens) -> None:
    window = await opens("chiara", "/account")
    await window.page.get_by_label("Their e-mail").fill("somebody@heart.example")
    await window.page.get_by_role("button", name="I vouch").click()
    await expect(window.page.get_by_text("Thank you. If an application")).to_be_visible()


@pytest.mark.long
@pytest.mark.parametrize("look", LOOKS[:1])
async def test_axe_finds_nothing_on_the_way_in(
    house: House, opens: Opens, look: dict[str, Any]
) -> None:
    email, name = "chiara@heart.example", "Chiara Canaryfeather"
    window = await opens(**look)
    page = window.page
    hers = {"country": "US", "body": "us.npi", "licence": "1245319599"}
    await applies(window, email, name=name, before=flawless, **hers)
    await page.locator('[name="code"]').wait_for()
    await flawless(window)
    await confirms(house, page, email)
    for summary in await page.locator("summary").all():
        await summary.click()
    await flawless(window)
    registrar = await as_registrar(house, opens, **look)
    await registrar.page.locator(".card").first.wait_for()
    await flawless(registrar)
    await registrar.page.get_by_role("button", name=name).click()
    await registrar.page.locator(".application").wait_for()
    await flawless(registrar)
    await registrar.page.locator(".application .primary").click()
    await registrar.page.locator(".application").wait_for(state="detached")
    await page.locator("waiting-page .primary").first.click()
    for n in range(3):
        await page.locator("joining-screens").get_by_text(re.compile(f"^{n + 1} ")).wait_for()
        await flawless(window)
        await page.locator("button.primary").click()
    await page.locator('input[value="screen"]').check()
    await flawless(window)


@pytest.mark.long
async def test_double_size_on_the_smallest_phone_loses_nothing_of_joining(
    house: House, opens: Opens
) -> None:
    window = await opens(**PHONE)
    await window.goes("/apply")
    await window.page.evaluate("localStorage.setItem('lounge.look', '{\"size\": \"200\"}')")
    await applies(window, "big@heart.example")
    await confirms(house, window.page, "big@heart.example")
    await window.page.locator("summary").first.click()
    assert await window.page.evaluate(_SIDEWAYS) == []


@pytest.mark.long
async def test_a_registrar_makes_a_role_on_call_and_names_its_keeper(
    house: House, opens: Opens
) -> None:
    registrar = await as_registrar(house, opens)
    page = registrar.page
    await page.get_by_text("Make a role on call").click()
    form = page.locator(".role-form form")
    await form.get_by_label("Service").fill("Neurology, Moosonee")
    await form.get_by_label("Name, such as").fill("Neurologist on call")
    await form.get_by_label("Specialty").select_option("neurology")
    await form.get_by_label("Time zone").fill("America/Toronto")
    await form.get_by_label("Number to call").fill("+1 807 343 8500")
    await form.get_by_label("E-mail of the doctor").fill("chiara@demo.invalid")
    await flawless(registrar)
    await form.get_by_role("button", name="Make it").click()
    await expect(page.get_by_text("The role is there.")).to_be_visible()
    keeper = await opens("chiara", "/oncall")
    card = keeper.page.locator(".role-card", has_text="Neurology, Moosonee")
    await expect(card).to_contain_text("you keep its rota")


async def applies(
    window: Window,
    email: str,
    *,
    name: str = "Somebody",
    country: str = "CA",
    body: str = "",
    licence: str = "",
    before: Any = None,
) -> None:
    """From the door to a form that was sent."""
    page = window.page
    await window.goes()
    await page.locator('sign-in a[href="/apply"]').click()
    await page.locator('[name="email"]').fill(email)
    await page.locator('[name="name"]').fill(name)
    await page.locator('[name="country"]').select_option(country)
    await page.locator('[name="specialty"]').select_option("cardiology")
    if body:
        await page.locator('[name="body"]').select_option(body)
    await page.locator('[name="licence"]').fill(licence)
    await page.locator('[name="password"]').fill(PASSWORD)
    if before:
        await before(window)
    await page.locator("apply-page .primary").click()


async def confirms(house: House, page: Page, email: str) -> None:
    """Read the letter and type its code."""
    await page.locator('[name="code"]').wait_for()
    letters = house.settings.data / "outbox"
    found: list[str] = []

    def came() -> bool:
        for path in letters.glob("*.eml"):
            letter = message_from_bytes(path.read_bytes(), policy=policy.default)
            if email in str(letter["to"]):
                found.append(str(letter.get_content()))
        return bool(found)

    await until(came)
    code = re.search(r"\b[2-9A-Z]{4}-[2-9A-Z]{4}\b", found[0])
    assert code
    await page.locator('[name="code"]').fill(code[0])
    await page.locator("apply-page .primary").click()
    await page.locator("waiting-page .steps li").first.wait_for()


async def as_registrar(house: House, opens: Opens, **look: Any) -> Window:
    """A window on the registrar's board."""
    doctor_id = await house.lounge.doctors.id_of(await house.doctor("olga", roles=["registrar"]))
    assert doctor_id
    language = "fr" if look.get("locale") == "fr-CA" else "en"
    await house.lounge.doctors.set_language(doctor_id, language)
    _, secret = await house.lounge.doctors.enter_as(doctor_id, label="test")
    window = await opens(**look)
    await window.context.add_cookies(
        [{"name": "lounge_session", "value": secret, "url": house.url}]
    )
    await window.goes("/registrar")
    return window
