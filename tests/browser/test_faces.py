"""Faces in the browser: choosing one, seeing it first, being warned, and who the others are."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Opens
from tests.browser.test_everyone import LOOKS, flawless

ROOM = "/rooms/specialty/neurology"


async def test_a_face_is_seen_first_worn_and_stays_until_it_is_changed(opens: Opens) -> None:
    ana = await opens("ana", ROOM)
    await ana.is_live()
    await ana.page.locator(".face").click()
    seen = ana.page.locator("dialog .seen")
    await expect(seen).to_contain_text("Cardiology · CA")
    await ana.page.get_by_label("My screen name").check()
    await ana.page.get_by_label("Screen name", exact=True).fill("Aurora of the ward")
    await ana.page.get_by_role("button", name="Set the name").click()
    await expect(seen).to_contain_text("Aurora of the ward")
    await ana.page.get_by_role("button", name="Speak like this in this room").click()
    await expect(ana.page.locator(".face")).to_contain_text("Others will see: Aurora of the ward")
    await ana.page.reload()
    await ana.is_live()
    await expect(ana.page.locator(".face")).to_contain_text("Aurora of the ward")
    await ana.says("by my screen name")
    row = await ana.sees("by my screen name")
    await expect(row.locator(".name")).to_have_text("Aurora of the ward")


async def test_one_message_can_differ_and_a_second_face_in_a_thread_is_warned_of(
    opens: Opens,
) -> None:
    ben = await opens("ben", ROOM)
    await ben.is_live()
    await ben.says("a thread to be watched")
    row = await ben.sees("a thread to be watched")
    made_up = await row.locator(".name").inner_text()
    await ben.page.locator(".face").click()
    await ben.page.get_by_label("My real name").check()
    await expect(ben.page.locator("dialog .seen .name")).to_have_text("Ben")
    await ben.page.get_by_role("button", name="Only for the next message").click()
    await expect(ben.page.locator(".face")).to_contain_text("This once others will see: Ben")
    await ben.presses_on(row, "r")
    await ben.sends("now by name")
    warning = ben.page.locator("dialog.faces")
    await expect(warning).to_contain_text(f"You have spoken in this thread as {made_up}.")
    await flawless(ben)
    await ben.page.get_by_role("button", name="Cancel", exact=True).last.click()
    await expect(ben.field).to_have_value("now by name")
    await ben.field.press("Enter")
    await ben.page.get_by_role("button", name="Send as Ben all the same").click()
    said = await ben.sees("now by name")
    await expect(said.locator(".name")).to_have_text("Ben")
    await expect(ben.page.locator(".face")).to_contain_text(f"Others will see: {made_up}")


@pytest.mark.long
async def test_whom_one_ignores_is_folded_away_and_can_be_shown(opens: Opens) -> None:
    ben = await opens("ben", ROOM)
    await ben.is_live()
    await ben.says("something tiresome")
    ana = await opens("chiara", ROOM)
    await ana.is_live()
    row = await ana.sees("something tiresome")
    seq = await row.get_attribute("data-seq")
    await ana.chooses(row, "persona")
    await expect(ana.page.locator("dialog.persona-card")).to_contain_text("Not yet marked")
    assert "#who=" in ana.page.url
    await ana.page.reload()
    await expect(ana.page.locator("dialog.persona-card")).to_contain_text("Not yet marked")
    await ana.page.get_by_role("button", name="Ignore in this room").click()
    folded = ana.page.locator(f'.row[data-seq="{seq}"]')
    await expect(folded).to_contain_text("A message of somebody you ignore here.")
    await expect(ana.stored("something tiresome")).to_have_count(0)
    await folded.get_by_role("button", name="Show it").click()
    await ana.sees("something tiresome")


async def test_a_name_given_up_is_replaced_and_what_was_said_stays_ones_own(opens: Opens) -> None:
    moira = await opens("moira", ROOM)
    await moira.is_live()
    await moira.says("under the old name")
    before = await (await moira.sees("under the old name")).locator(".name").inner_text()
    await moira.page.locator(".face").click()
    await moira.page.get_by_text("Take another made-up name").click()
    await moira.page.get_by_role("button", name="Give the name up").click()
    await expect(moira.page.locator("dialog")).to_have_count(0)
    await expect(moira.page.locator(".face")).not_to_contain_text(before)
    await expect((await moira.sees("under the old name")).locator(".you")).to_be_visible()


@pytest.mark.long
async def test_two_of_a_thread_tell_each_other_their_names(opens: Opens) -> None:
    ana, ben = await opens("ana", ROOM), await opens("ben", ROOM)
    await ana.is_live()
    await ana.says("who would have thought of it")
    await ben.is_live()
    await ben.presses_on(await ben.sees("who would have thought of it"), "r")
    await ben.says("I would")
    await ben.chooses(ben.stored("who would have thought of it").first, "persona")
    await ben.page.get_by_role("button", name="Offer to reveal myself").click()
    await expect(ben.page.locator(".room-notice")).to_contain_text("Offered.")
    await ana.listed("me").click()
    await ana.page.get_by_role("button", name="Tell each other our names").click()
    await ana.agrees()
    await expect(ana.page.locator(".row.notice-card").last).to_contain_text("this is Ben")
    await expect(ana.page.get_by_role("button", name="Tell each other our names")).to_have_count(0)
    await ben.enters("me")
    await expect(ben.page.locator(".row.notice-card").last).to_contain_text("this is Ana")


@pytest.mark.long
@pytest.mark.parametrize("look", LOOKS[:1])
async def test_axe_finds_nothing_about_faces(opens: Opens, look: dict[str, Any]) -> None:
    window = await opens("moira", "/rooms/world", **look)
    page = window.page
    await window.is_live()
    await window.writes("whom to look at")
    await page.locator("message-composer .primary").click()
    row = window.stored("whom to look at").last
    await page.locator(".face").click()
    await page.locator("dialog .seen .row").wait_for()
    await page.locator('input[value="named"]').check()
    await expect(page.locator("dialog .seen .name")).to_have_text("Moira")
    await page.locator("summary").click()
    await flawless(window)
    await page.keyboard.press("Escape")
    await window.chooses(row, "persona")
    await page.locator("dialog.persona-card").wait_for()
    await flawless(window)
