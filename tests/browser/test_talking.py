"""Two doctors in a room: what one does, the other sees."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Opens

WORLD = "/rooms/world"


@pytest.mark.long
async def test_two_doctors_talk_and_the_badge_leads(opens: Opens) -> None:
    ana, ben = await opens("ana", WORLD), await opens("ben", WORLD)
    await ben.is_live()
    await ana.says("Troponin 40 then 42: observe?")
    row = await ben.sees("Troponin 40 then 42: observe?")
    await expect(row.locator(".row-head")).to_contain_text(re.compile("^Cardiology · CA"))
    await ben.says("Observe, repeat at six hours.")
    await ana.sees("Observe, repeat at six hours.")


async def test_nothing_a_doctor_writes_becomes_markup(opens: Opens) -> None:
    ana, ben = await opens("ana", WORLD), await opens("ben", WORLD)
    await ben.is_live()
    text = "<img src=x onerror=alert(1)> <b>bold</b> & $lang"
    await ana.says(text)
    row = await ben.sees("onerror")
    assert await row.locator(".text").inner_text() == text
    await expect(row.locator("img, b")).to_have_count(0)


async def test_an_edit_is_shown_to_all_and_marked(opens: Opens) -> None:
    ana, ben = await opens("ana", WORLD), await opens("ben", WORLD)
    await ben.is_live()
    await ana.says("Give 50 mg of the first drug")
    await ana.field.press("ArrowUp")
    await expect(ana.field).to_have_value("Give 50 mg of the first drug")
    await ana.sends("Give 5 mg of the first drug")
    row = await ben.sees("Give 5 mg of the first drug")
    await expect(row.locator(".edited")).to_have_text("edited")
    await expect(ben.stored("Give 50 mg")).to_have_count(0)
    await expect(ana.field).to_have_value("")


@pytest.mark.long
async def test_what_is_taken_back_leaves_only_its_place(opens: Opens) -> None:
    ana, ben = await opens("ana", WORLD), await opens("ben", WORLD)
    await ben.is_live()
    await ana.says("This should not have been said")
    seq = await (await ben.sees("This should not have been said")).get_attribute("data-seq")
    await ana.chooses(await ana.sees("This should not have been said"), "redact")
    await ana.agrees()
    for window in (ana, ben):
        gone = window.page.locator(f'.row[data-seq="{seq}"]')
        await expect(gone).to_contain_text("Taken back by its author.")
        await expect(window.stored("This should not have been said")).to_have_count(0)
    await ben.page.reload()
    await ben.is_live()
    await expect(ben.page.locator(f'.row[data-seq="{seq}"]')).to_contain_text("Taken back")


@pytest.mark.long
async def test_a_reaction_is_counted_and_taken_back(opens: Opens) -> None:
    ana, ben = await opens("ana", WORLD), await opens("ben", WORLD)
    await ben.is_live()
    await ana.says("Weigh the patient first")
    row = await ben.sees("Weigh the patient first")
    await ben.presses_on(row, "m")
    await ben.page.locator("dialog.menu .reaction").first.click()
    theirs = (await ana.sees("Weigh the patient first")).locator(".pill")
    await expect(theirs).to_have_attribute("aria-label", "I agree: 1 doctor")
    await expect(row.locator(".pill")).to_have_attribute("aria-pressed", "true")
    await theirs.click()
    await expect(row.locator(".pill")).to_have_attribute("aria-label", "I agree: 2 doctors")
    await ben.page.reload()
    await ben.is_live()
    await row.locator(".pill").click()
    await expect(theirs).to_have_attribute("aria-label", "I agree: 1 doctor")


async def test_a_reply_quotes_and_leads_to_what_it_answers(opens: Opens) -> None:
    ana, ben = await opens("ana", WORLD), await opens("ben", WORLD)
    await ben.is_live()
    await ana.says("Which dose for a child of 20 kg?")
    asked = await ben.sees("Which dose for a child of 20 kg?")
    seq = await asked.get_attribute("data-seq")
    await ben.presses_on(asked, "r")
    await expect(ben.page.locator(".about")).to_contain_text("Which dose for a child")
    await ben.sends("15 mg per kg")
    quote = ana.page.locator(".row", has_text="15 mg per kg").locator(".quote")
    await expect(quote).to_contain_text("Which dose for a child of 20 kg?")
    await quote.click()
    await expect(ana.page.locator(f'.row[data-seq="{seq}"]')).to_be_focused()
    assert ana.page.url.endswith(f"#{seq}")


async def test_a_report_reaches_the_moderator_who_hides_it_and_the_author_is_told(
    opens: Opens,
) -> None:
    ana, ben = await opens("ana", WORLD), await opens("ben", WORLD)
    await ben.is_live()
    await ana.says("The patient is the mayor of our town")
    await ben.chooses(await ben.sees("The patient is the mayor of our town"), "report")
    await ben.agrees("patient_identifiable")
    await expect(ben.page.locator(".room-notice")).to_contain_text("A moderator will look at it.")
    moira = await opens("moira", "/moderation#queue")
    report = moira.page.locator(".report", has_text="the mayor of our town")
    await expect(report).to_contain_text("A patient can be recognised")
    await report.get_by_role("button", name="Claim it").click()
    await report.get_by_role("button", name="Act…").click()
    await moira.moderates("hide")
    await expect(ana.stored("the mayor")).to_have_count(0)
    await expect(ana.page.locator(".gone").last).to_have_text(
        "Hidden by a moderator: a patient could be recognised"
    )
    await moira.page.locator(".report").first.get_by_role("button", name="Close: upheld").click()
    await expect(moira.page.locator(".report")).to_have_count(0)
    await ana.enters("me")
    await expect(ana.page.locator(".row.notice-card").last).to_contain_text(
        "A moderator hid a message of yours in World: a patient could be recognised."
    )


async def test_the_guard_shows_the_words_it_holds_and_nothing_is_lost(opens: Opens) -> None:
    ana, ben = await opens("ana", WORLD), await opens("ben", WORLD)
    await ben.is_live()
    await ana.sends("Écrivez-moi à jeanne@example.org demain")
    verdict = ana.page.locator(".verdict")
    await expect(verdict.locator("mark")).to_have_text("jeanne@example.org")
    await expect(verdict).to_contain_text("An e-mail address leads straight to a person")
    await expect(ana.page.locator(".mirror mark")).to_have_text("jeanne@example.org")
    await expect(ana.field).to_have_value("Écrivez-moi à jeanne@example.org demain")
    await ana.says("Écrivez-moi ici demain")
    await expect(verdict).to_be_hidden()
    await ben.sees("Écrivez-moi ici demain")
    await expect(ben.stored("jeanne@example.org")).to_have_count(0)


@pytest.mark.long
async def test_a_room_that_is_not_open_shows_unread_without_being_asked(opens: Opens) -> None:
    ana, ben = await opens("ana", "/rooms/country/ca"), await opens("denis", "/rooms/world")
    await ana.is_live()
    await ben.says("Quelqu’un de garde ce soir ?")
    unread = ana.listed("world").locator(".unread")
    await expect(unread).to_contain_text(re.compile("[0-9] unread"))
    await ana.listed("world").click()
    await ana.is_live()
    await ana.page.locator(".jump").or_(ana.page.locator(".row").last).first.wait_for()
    await ana.page.evaluate("document.querySelector('message-log').toEnd()")
    await expect(unread).to_have_text("")


@pytest.mark.long
async def test_each_new_message_is_announced_once_and_own_ones_are_not(opens: Opens) -> None:
    ana, ben = await opens("ana", WORLD), await opens("ben", WORLD)
    await ben.is_live()
    await ben.says("mine, not announced")
    await ana.says("announced exactly once")
    said = ben.page.locator("lounge-announcer p")
    await expect(said.filter(has_text="announced exactly once")).to_have_count(1)
    words = await said.filter(has_text="announced exactly once").inner_text()
    assert re.fullmatch(r"Cardiology · Canada, [\w ]+: announced exactly once", words)
    await expect(said.filter(has_text="mine, not announced")).to_have_count(0)
    await expect(ben.page.locator(".scroller")).to_have_attribute("aria-live", "off")


@pytest.mark.long
async def test_a_draft_waits_in_its_room(opens: Opens) -> None:
    ana = await opens("ana", WORLD)
    await ana.is_live()
    await ana.writes("not finished yet")
    await ana.listed("country/ca").click()
    await ana.is_live()
    await expect(ana.field).to_have_value("")
    await ana.listed("world").click()
    await ana.is_live()
    await expect(ana.field).to_have_value("not finished yet")
    await ana.page.reload()
    await expect(ana.field).to_have_value("not finished yet")


async def test_one_always_knows_as_whom_one_speaks(opens: Opens) -> None:
    ana = await opens("ana", WORLD)
    await ana.is_live()
    face = ana.page.locator(".face")
    await expect(face).to_contain_text(re.compile("Others will see: .+ · Cardiology · CA"))
    await face.click()
    await expect(ana.page.locator("dialog .seen")).to_contain_text("Cardiology · CA")
