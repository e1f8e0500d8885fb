"""Cases in a browser: opened on a phone, announced where they are asked, found on their board."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import Opens
from tests.browser.test_everyone import LOOKS, PHONE, flawless
from tests.browser.window import Window
from tests.support import House, letters, new_cid


def asking() -> str:
    """A question of its own for each test."""
    return f"Wait or scan? Case {letters()}"


async def opens_case(window: Window, question: str, urgency: str = "Routine") -> str:
    """Fill in just what is needed and send it; gives the consult's room."""
    page = window.page
    await page.goto(f"{window.url}/case")
    await page.get_by_label("What do you want to know?").fill(question)
    await page.get_by_role("radio", name=urgency).check()
    await expect(page.locator(".chip")).to_have_count(1)
    await page.get_by_role("button", name="Open the case").click()
    await page.wait_for_url(re.compile("/rooms/consult/"))
    return page.url.partition("/rooms/")[2]


def card(window: Window, question: str) -> Locator:
    """The card of that case in the open room."""
    return window.page.locator("consult-card", has_text=question)


async def test_a_case_is_opened_on_a_phone_and_announced_live_where_it_is_asked(
    opens: Opens,
) -> None:
    chiara = await opens("chiara", "/rooms/specialty/neurology")
    denis = await opens("denis", "/rooms/country/ca", locale="fr-CA")
    ana = await opens("ana", **PHONE)
    for window in (chiara, denis):
        await window.is_live()
    question, page = asking(), ana.page
    await page.get_by_role("link", name="Open a case").tap()
    await page.get_by_label("What do you want to know?").fill(question)
    await page.get_by_label("Age", exact=True).select_option(label="60 to 79")
    await page.get_by_role("radio", name="Today").check()
    await expect(page.get_by_role("button", name="Remove Cardiology")).to_be_visible()
    await page.get_by_label("Add a specialty").fill("neurol")
    await page.get_by_role("button", name="Neurology", exact=True).tap()
    await expect(page.locator("consult-form")).to_contain_text(
        "Announced in: Cardiology, Neurology, Canada, since your badge shows the country."
    )
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await page.get_by_role("button", name="Open the case").tap()
    await page.wait_for_url(re.compile("/rooms/consult/"))
    await expect(card(chiara, question)).to_contain_text("Asks: Cardiology, Neurology")
    await expect(card(chiara, question)).to_contain_text("No opinion yet; closes in 4 hr")
    await expect(card(denis, question)).to_contain_text("Demande à : Cardiologie, Neurologie")
    names = [await card(each, question).locator(".name").inner_text() for each in (chiara, denis)]
    assert names[0] == names[1]
    await card(chiara, question).get_by_role("link", name="Give an opinion").click()
    await chiara.page.wait_for_url(page.url)


async def test_what_the_guard_holds_is_marked_in_its_field_and_nothing_is_lost(
    opens: Opens,
) -> None:
    window = await opens("ben", "/case")
    page, question = window.page, asking()
    await page.get_by_label("What do you want to know?").fill(question)
    findings = page.get_by_label("Findings")
    await findings.fill("Images sent to jeanne@example.org, lactate 4")
    await page.get_by_role("button", name="Open the case").click()
    held = page.locator(".labelled", has=findings)
    await expect(held.locator(".mirror mark")).to_have_text("jeanne@example.org")
    await expect(held.locator(".verdict")).to_contain_text("Held, not sent.")
    await expect(findings).to_be_focused()
    await page.reload()
    await expect(page.get_by_label("What do you want to know?")).to_have_value(question)
    await findings.fill("Lactate 4")
    await page.get_by_role("button", name="Open the case").click()
    await page.wait_for_url(re.compile("/rooms/consult/"))
    await window.goes("/case")
    await expect(page.get_by_label("What do you want to know?")).to_have_value("")


@pytest.mark.long
async def test_a_case_without_a_question_or_a_specialty_goes_nowhere(opens: Opens) -> None:
    window = await opens("chiara", "/case")
    page = window.page
    send = page.get_by_role("button", name="Open the case")
    await expect(page.locator(".chip")).to_have_count(1)
    await send.click()
    await expect(page.locator(".verdict:visible")).to_have_text("Write what you want to know.")
    await page.get_by_label("What do you want to know?").fill("x" * 301)
    await send.click()
    await expect(page.locator(".verdict:visible")).to_have_text("Shorten what is marked.")
    await page.get_by_label("What do you want to know?").fill("Short enough")
    await page.locator(".chip").click()
    await send.click()
    await expect(page.locator("specialty-chooser .trouble")).to_have_text(
        "Choose at least one specialty."
    )
    for name in ("Cardiology", "Nephrology", "Radiology", "Geriatrics", "Neurology"):
        await page.get_by_label("Add a specialty").fill(name)
        await page.keyboard.press("Enter")
    await expect(page.locator(".chip")).to_have_count(5)
    await expect(page.get_by_label("Add a specialty")).to_be_disabled()
    await expect(page.locator("specialty-chooser")).to_contain_text("Five are chosen.")


@pytest.mark.long
async def test_a_card_changes_where_it_stands_once_its_author_unseals(opens: Opens) -> None:
    ana = await opens("ana")
    question = asking()
    await opens_case(ana, question)
    chiara = await opens("chiara", "/rooms/specialty/cardiology")
    shown = card(chiara, question)
    await expect(shown.locator(".case-steps")).to_have_attribute(
        "aria-label", "Step 1 of 5: Waiting"
    )
    link = shown.get_by_role("link")
    await link.focus()
    before = await chiara.seqs()
    await ana.is_live()
    await ana.page.get_by_role("button", name=re.compile("[Uu]nseal")).first.click()
    await ana.page.locator("dialog [type=submit]").click()
    await expect(shown).to_contain_text("Unsealed, without any opinion")
    await expect(link).to_have_text("Read the opinions")
    await expect(link).to_be_focused()
    assert await chiara.seqs() == before


@pytest.mark.long
async def test_the_board_is_narrowed_and_leads_to_a_case(opens: Opens) -> None:
    ana = await opens("ana")
    hurry, rest = asking(), asking()
    await opens_case(ana, rest)
    await opens_case(ana, hurry, "Now")
    await ana.goes("/consults")
    page = ana.page
    rows = page.locator(".case-row")
    place = {text: rows.filter(has_text=text) for text in (hurry, rest)}
    await expect(place[rest]).to_contain_text("Yours")
    texts = await rows.all_inner_texts()
    at = [next(i for i, text in enumerate(texts) if each in text) for each in (hurry, rest)]
    assert at[0] < at[1], "what waits now stands above what is routine"
    await page.get_by_label("How soon").select_option("now")
    await expect(place[rest]).to_have_count(0)
    await expect(place[hurry]).to_be_visible()
    await page.get_by_label("Specialty").select_option("neurology")
    await expect(page.locator("consult-board")).to_contain_text("No case fits what you chose.")
    await page.get_by_label("Specialty").select_option("")
    await page.get_by_label("Only mine").check()
    await place[hurry].get_by_role("link").click()
    await page.wait_for_url(re.compile("/rooms/consult/"))
    await page.go_back()
    await expect(place[hurry]).to_be_visible()
    await expect(page.locator("consults-waiting")).to_contain_text(hurry)
    await page.keyboard.press("Control+k")
    await page.keyboard.type(hurry.lower())
    await expect(page.locator("#palette-list li").first).to_have_text(hurry)
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile("/rooms/consult/"))


@pytest.mark.long
async def test_how_long_a_first_opinion_took_is_drawn_and_stands_in_a_table(
    opens: Opens, house: House
) -> None:
    ana = await opens("ana", color_scheme="dark", reduced_motion="reduce")
    question = asking()
    room = await opens_case(ana, question)
    ben = await house.guest("ben", room)
    await ben.ask("opine", room=room, ranked=["Wait"], cid=new_cid())
    await house.come_due(room)
    page = ana.page
    await ana.goes("/consults")
    await page.get_by_label("State").select_option("revealed")
    row = page.locator(".case-row", has_text=question)
    await expect(row).to_contain_text("Unsealed, with 1 opinion")
    times = page.locator(".case-times")
    await expect(times.locator("dd").first).to_have_text("under a minute")
    await expect(times.get_by_role("img", name="By hour of the day (yours)")).to_be_visible()
    await expect(times.locator(".bar")).to_have_count(2)
    await times.locator("summary").first.click()
    await expect(times.get_by_role("row")).to_have_count(2)
    await flawless(ana)
    await ana.goes("/case")
    await expect(page.locator(".usual")).to_contain_text(
        "Usually the first opinion comes within under a minute"
    )


@pytest.mark.long
async def test_what_one_is_told_of_is_kept(opens: Opens) -> None:
    window = await opens("moira", "/account")
    page = window.page
    first = page.get_by_role("checkbox", name="at the first opinion on a case of mine")
    await first.check()
    await page.get_by_label("Tell me of cases that ask my specialty").select_option("today")
    await page.get_by_label("Cases a day at most").select_option("5")
    await page.get_by_role("checkbox", name="Quiet hours").check()
    await page.get_by_label("From").fill("21:30")
    await page.get_by_role("button", name="Keep these settings").click()
    await expect(page.locator(".told .said")).to_have_text("Kept.")
    await page.reload()
    await expect(first).to_be_checked()
    await expect(page.get_by_label("From")).to_have_value("21:30")
    await expect(page.get_by_label("Cases a day at most")).to_have_value("5")
    await flawless(window)


@pytest.mark.long
@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_where_cases_are(opens: Opens, look: dict[str, Any]) -> None:
    ana = await opens("ana")
    question = asking()
    await opens_case(ana, question, "Now")
    window = await opens("chiara", "/rooms/specialty/cardiology", **look)
    page = window.page
    await card(window, question).locator(".case-steps").wait_for()
    await flawless(window)
    await window.goes("/consults")
    await page.locator(".case-row", has_text=question).wait_for()
    await page.locator(".case-times p").first.wait_for()
    await flawless(window)
    await window.goes()
    await page.locator("consults-waiting a[href^='/rooms']").first.wait_for()
    await flawless(window)
    await window.goes("/case")
    await page.locator(".chip").wait_for()
    for summary in await page.locator("consult-form summary").all():
        await summary.click()
    await page.locator("#field-specialty").fill("neu")
    await page.locator(".offered button").first.wait_for()
    await page.locator("#field-question").fill("write to jeanne@example.org")
    await flawless(window)
    await page.locator("consult-form [type=submit]").click()
    await page.locator(".verdict mark").wait_for()
    await flawless(window)


@pytest.mark.long
async def test_double_size_on_the_smallest_phone_keeps_cases_within_the_screen(
    opens: Opens,
) -> None:
    window = await opens("ana", **PHONE)
    await opens_case(window, asking())
    await window.goes("/account")
    await window.page.get_by_label("Text size").select_option("200")
    for path, shown in (
        ("/case", ".chip"),
        ("/consults", ".case-row"),
        ("/", "consults-waiting a"),
    ):
        await window.goes(path)
        await window.page.locator(shown).first.wait_for()
        assert await window.page.evaluate("document.documentElement.scrollWidth") <= 360, path
