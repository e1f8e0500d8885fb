"""Finding: rooms by a few letters, and what was said by its words."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Opens


async def test_a_room_is_found_in_either_language_without_accents(opens: Opens) -> None:
    ana = await opens("ana")
    await ana.page.get_by_label("Find a room").fill("pediatr")
    await expect(ana.listed("specialty/paediatrics")).to_be_visible()
    await ana.page.get_by_label("Find a room").fill("oto-rhino")
    await ana.page.get_by_label("Find a room").fill("PNEUMOLOGIE")
    await expect(ana.listed("specialty/respiratory-medicine")).to_be_visible()
    await ana.page.get_by_label("Find a room").press("Enter")
    await ana.is_live()
    assert ana.page.url.endswith("/rooms/specialty/respiratory-medicine")


@pytest.mark.long
async def test_quiet_rooms_appear_only_when_asked_for(opens: Opens) -> None:
    ana = await opens("ana")
    for own in ("world", "specialty/cardiology", "country/ca"):
        await expect(ana.listed(own)).to_be_visible()
    await expect(ana.listed("country/is")).to_have_count(0)
    await ana.page.get_by_role("button", name="All rooms").click()
    await expect(ana.listed("country/is")).to_have_count(1)


@pytest.mark.long
async def test_a_room_is_kept_among_ones_own_and_let_go(opens: Opens) -> None:
    ana = await opens("ana")
    await ana.enters("country/is")
    keep = ana.page.get_by_role("button", name="Keep in my rooms")
    if await keep.get_attribute("aria-pressed") == "true":
        await keep.click()
    await expect(keep).to_have_attribute("aria-pressed", "false")
    await keep.click()
    await expect(keep).to_have_attribute("aria-pressed", "true")
    await ana.goes("/")
    await expect(ana.listed("country/is")).to_be_visible()


async def test_a_hit_shows_the_words_and_opens_the_room_there(opens: Opens) -> None:
    ana, ben = await opens("ana", "/rooms/world"), await opens("ben", "/rooms/world")
    await ana.is_live()
    await ana.says("Which échocardiographie criteria for tamponade?")
    addresses: list[str] = []
    ben.page.on("request", lambda request: addresses.append(request.url))
    await ben.goes("/search")
    await ben.page.get_by_label("Words to look for").fill("tamponade")
    await ben.page.get_by_role("button", name="Search", exact=True).last.click()
    hit = ben.page.locator(".hit").first
    await expect(hit.locator("mark")).to_have_text("tamponade")
    await expect(hit).to_contain_text("World")
    await hit.click()
    row = ben.page.locator(".row.landed")
    await expect(row).to_contain_text("Which échocardiographie criteria for tamponade?")
    await expect(row).to_be_focused()
    assert not any("tamponade" in address for address in [*addresses, ben.page.url])


@pytest.mark.long
async def test_search_can_be_narrowed_to_the_room_one_is_in(opens: Opens) -> None:
    ana = await opens("ana", "/rooms/world")
    await ana.is_live()
    await ana.says("colchicine in the world")
    await ana.enters("country/ca")
    await ana.says("colchicine in Canada")
    await ana.page.get_by_role("button", name="Search in this room").click()
    await ana.page.get_by_label("Words to look for").fill("colchicine")
    await ana.page.get_by_label("Words to look for").press("Enter")
    await expect(ana.page.locator(".hit")).to_have_count(1)
    await expect(ana.page.locator(".hit")).to_contain_text("colchicine in Canada")
    await ana.page.get_by_label("Only in Canada").uncheck()
    await ana.page.get_by_label("Words to look for").press("Enter")
    await expect(ana.page.locator(".hit")).to_have_count(2)


@pytest.mark.long
async def test_a_search_that_finds_nothing_says_so(opens: Opens) -> None:
    ana = await opens("ana", "/search")
    await ana.page.get_by_label("Words to look for").fill("xylophonectomy")
    await ana.page.get_by_label("Words to look for").press("Enter")
    await expect(ana.page.get_by_text("Nothing was found.")).to_be_visible()


async def test_the_palette_goes_to_any_room_and_searches(opens: Opens) -> None:
    ana = await opens("ana", "/rooms/world")
    await ana.is_live()
    await ana.says("lactulose at night")
    await ana.page.keyboard.press("Control+k")
    await ana.page.get_by_role("combobox").fill("neurolo")
    await ana.page.keyboard.press("Enter")
    await ana.is_live()
    assert ana.page.url.endswith("/rooms/specialty/neurology")
    await ana.page.keyboard.press("Control+k")
    await ana.page.get_by_role("combobox").fill("lactulose")
    await ana.page.keyboard.press("Enter")
    await expect(ana.page.locator(".hit").first).to_contain_text("lactulose at night")
    assert quote("lactulose") not in ana.page.url


@pytest.mark.long
async def test_a_room_that_is_not_there_says_so(opens: Opens) -> None:
    ana = await opens("ana", "/rooms/specialty/astrology")
    await expect(ana.page.locator(".refusal")).to_contain_text("no such room")
