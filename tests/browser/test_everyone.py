"""For everyone: by keyboard alone, by screen reader, in large type, on a small phone, in the dark."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.browser.conftest import Opens
from tests.browser.window import Window

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
STILL = {"reduced_motion": "reduce"}  # so that no colour is measured on its way
# Contrast 7:1, as we promise, and targets that a thumb meets.
RULES = {rule: {"enabled": True} for rule in ("color-contrast-enhanced", "target-size")}
PHONE_LOOK = {"locale": "fr-CA", "color_scheme": "dark", **STILL, **PHONE}
WIDE_LOOK = {"locale": "en-CA", "color_scheme": "light", **STILL}
LONG = pytest.mark.long
LOOKS = [
    pytest.param(PHONE_LOOK, id="french-phone"),
    pytest.param(WIDE_LOOK, marks=LONG, id="english-wide"),
]
WIDE_FIRST = [
    pytest.param(PHONE_LOOK, marks=LONG, id="french-phone"),
    pytest.param(WIDE_LOOK, id="english-wide"),
]


async def flawless(window: Window) -> None:
    """Axe finds nothing on the page as it stands, in this place, state and theme."""
    options = {"resultTypes": ["violations"], "rules": RULES}
    results = await Axe().run(window.page, options=options)
    flaws = [
        f"{flaw['id']}: {node['html'][:120]}"
        for flaw in results.response["violations"]
        for node in flaw["nodes"]
    ]
    assert flaws == [], window.page.url


@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_at_the_door(opens: Opens, look: dict[str, Any]) -> None:
    window = await opens(**look)
    await window.goes()
    await window.page.locator(".card").first.wait_for()
    await flawless(window)
    await window.page.locator(".sign .quiet").last.click()
    await window.page.locator("#field-code").wait_for()
    await flawless(window)
    await window.signs_in("dan")
    await flawless(window)


@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_in_a_room(opens: Opens, look: dict[str, Any]) -> None:
    window = await opens("moira", "/rooms/world", **look)
    page = window.page
    await window.is_live()
    send = page.locator("message-composer .primary")
    for text in ("a first message", "a second one, with a reaction"):
        await window.writes(text)
        await send.click()
    row = window.stored("a second one, with a reaction").last
    await window.presses_on(row, "m")
    await page.locator("dialog.menu").wait_for()
    await flawless(window)
    await page.locator(".reaction").first.click()
    await page.locator(".pill").first.wait_for()
    await flawless(window)
    await window.writes("write to jeanne@example.org")
    await send.click()
    await page.locator(".verdict mark").wait_for()
    await flawless(window)
    await window.writes("x" * 8001)
    await page.locator(".count.over").wait_for()
    await flawless(window)
    await window.writes("")
    await page.locator(".face").click()
    await page.locator("dialog").wait_for()
    await flawless(window)
    await page.keyboard.press("Escape")
    await page.keyboard.press("Control+k")
    await page.locator("dialog.palette").wait_for()
    await flawless(window)


@pytest.mark.long
@pytest.mark.parametrize("look", WIDE_FIRST)
async def test_axe_finds_nothing_elsewhere(opens: Opens, look: dict[str, Any]) -> None:
    window = await opens("moira", "/rooms/world", **look)
    page = window.page
    await window.is_live()
    await window.writes("spironolactone, to be found")
    await page.locator("message-composer .primary").click()
    await window.stored("spironolactone").first.wait_for()
    await window.goes()
    await page.locator("room-list a").first.wait_for()
    await flawless(window)
    await window.goes("/search")
    await page.locator("#query").fill("spironolactone")
    await page.locator("#query").press("Enter")
    await page.locator(".hit").first.wait_for()
    await flawless(window)
    await window.goes("/account")
    await page.locator(".own-things li").first.wait_for()
    await flawless(window)
    await window.goes("/moderation")
    await page.locator("watch-table tbody tr").first.wait_for()
    await flawless(window)
    await window.goes("/rooms/me")
    await window.is_live()
    await flawless(window)
    await window.goes("/rooms/not/there")
    await page.locator(".refusal").wait_for()
    await flawless(window)


@pytest.mark.long
@pytest.mark.parametrize("look", WIDE_FIRST)
async def test_axe_finds_nothing_while_a_message_is_reported(
    opens: Opens, look: dict[str, Any]
) -> None:
    ben = await opens("ben", "/rooms/world")
    await ben.is_live()
    await ben.sends("buy my book")
    window = await opens("moira", "/rooms/world", **look)
    await window.is_live()
    await window.stored("buy my book").last.wait_for()
    for act in ("report", "moderate"):
        await window.chooses(window.stored("buy my book").last, act)
        await window.page.locator("dialog[open]").wait_for()
        await flawless(window)
        await window.page.keyboard.press("Escape")
    await window.chooses(window.stored("buy my book").last, "report")
    await window.agrees("advertising")
    await window.goes("/moderation#queue")
    await window.page.locator(".report").first.wait_for()
    await flawless(window)


async def test_everything_is_done_by_keyboard_alone(opens: Opens) -> None:
    window = await opens()
    await window.goes("/rooms/world")
    page, keys = window.page, window.page.keyboard
    await page.locator(".card").first.wait_for()
    card = page.locator(".card").first
    while not await card.evaluate("card => card === document.activeElement"):
        await keys.press("Tab")
    await keys.press("Enter")
    await window.is_live()
    await expect(window.field).to_be_focused()
    await keys.type("by keyboard alone")
    await keys.press("Enter")
    row = await window.sees("by keyboard alone")
    await keys.press("Shift+Tab")
    await expect(row).to_be_focused()
    await keys.press("r")
    await expect(window.field).to_be_focused()
    await keys.type("and a reply")
    await keys.press("Enter")
    await expect((await window.sees("and a reply")).locator(".quote")).to_be_visible()
    await keys.press("ArrowUp")
    await keys.type(", edited")
    await keys.press("Enter")
    await window.sees("and a reply, edited")
    await keys.press("Control+k")
    await expect(page.get_by_role("combobox")).to_be_focused()
    await keys.type("keyboard alone")
    await keys.press("Enter")
    await page.locator(".hit").first.wait_for()
    while not await page.locator(".hit").first.evaluate("hit => hit === document.activeElement"):
        await keys.press("Tab")
    await keys.press("Enter")
    await expect(page.locator(".row.landed")).to_be_focused()
    await keys.press("?")
    await expect(page.locator("dialog")).to_contain_text("Keys and help")
    await keys.press("Escape")
    await expect(page.locator(".row.landed, .row:focus").first).to_be_focused()


@pytest.mark.long
async def test_on_a_phone_one_region_is_seen_at_a_time_and_back_works(opens: Opens) -> None:
    window = await opens("ana", **PHONE)
    page = window.page
    await expect(page.locator("room-list")).to_be_visible()
    await expect(page.locator(".middle")).to_be_hidden()
    await window.listed("world").tap()
    await window.is_live()
    await expect(page.locator("room-list")).to_be_hidden()
    await page.get_by_role("button", name="Search in this room").tap()
    await expect(page.locator("search-sheet")).to_be_visible()
    await expect(page.locator(".middle")).to_be_hidden()
    await page.locator("search-sheet").get_by_role("button", name="Close").tap()
    await expect(window.field).to_be_visible()
    await page.get_by_role("button", name="Back").tap()
    await expect(page.locator("room-list")).to_be_visible()
    await page.go_forward()
    await window.is_live()


@pytest.mark.long
async def test_on_a_phone_enter_makes_a_line_and_the_button_sends(opens: Opens) -> None:
    window = await opens("ana", "/rooms/world", **PHONE)
    await window.is_live()
    await window.field.fill("first line")
    await window.field.press("Enter")
    await window.page.keyboard.type("second line")
    await window.page.get_by_role("button", name="Send").tap()
    row = await window.sees("first line")
    assert await row.locator(".text").inner_text() == "first line\nsecond line"


@pytest.mark.long
async def test_a_long_press_opens_what_can_be_done(opens: Opens) -> None:
    window = await opens("ana", "/rooms/world", **PHONE)
    await window.is_live()
    await window.writes("press me for a moment")
    await window.page.get_by_role("button", name="Send").tap()
    row = await window.sees("press me for a moment")
    await row.locator(".text").dispatch_event("touchstart")
    await expect(window.page.locator("dialog.menu")).to_contain_text("Take back")


@pytest.mark.long
async def test_double_size_on_the_smallest_phone_loses_nothing_sideways(opens: Opens) -> None:
    window = await opens("moira", "/account", **PHONE)
    await window.page.get_by_label("Text size").select_option("200")
    await expect(window.page.locator("html")).to_have_attribute("data-size", "200")
    for path in ("/", "/rooms/world", "/search", "/account", "/moderation"):
        await window.goes(path)
        await window.page.locator(".regions h2:visible").first.wait_for()
        width = await window.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, path


@pytest.mark.long
async def test_the_theme_can_be_chosen_against_the_device(opens: Opens) -> None:
    window = await opens("ana", "/account", color_scheme="light")
    await window.page.get_by_label("Light", exact=True).select_option("dark")
    ink = "getComputedStyle(document.body).color"
    assert await window.page.evaluate(ink) == "rgb(233, 231, 226)"
    await window.goes("/")
    assert await window.page.evaluate(ink) == "rgb(233, 231, 226)"


@pytest.mark.long
async def test_the_language_is_changed_for_good(opens: Opens) -> None:
    window = await opens("ben", "/account")
    await window.page.get_by_role("button", name="Français").click()
    await expect(window.page.get_by_role("heading", name="Compte")).to_be_visible()
    await window.page.get_by_role("button", name="English").click()
    await expect(window.page.get_by_role("heading", name="Account")).to_be_visible()
