"""The moderator's evening: rooms as they are now, three reports, two moderators, acts, rules (S7)."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Locator, expect

from lounge.demo import doctor_id, member
from tests.browser.conftest import Opens
from tests.browser.test_everyone import PHONE_LOOK, WIDE_LOOK, flawless
from tests.browser.window import CAST, Window
from tests.support import House, letters, new_cid

WORLD = "/rooms/world"
QUEUE = "/moderation#queue"

LOOKS = [pytest.param(PHONE_LOOK, id="phone"), pytest.param(WIDE_LOOK, id="wide")]


def words() -> str:
    """Something nobody has said before."""
    return f"An evening of {letters()}"


async def appointed(house: House, name: str) -> None:
    """One of the cast is a moderator, too."""
    of = await doctor_id(house.lounge.identity_database, member(CAST[name]))
    await house.lounge.doctors.set_roles(of, {"doctor", "moderator"})


async def reports(house: House, seq: int, kind: str, names: list[str]) -> None:
    """So many doctors report an entry of the world, over the raw wire."""
    for name in names:
        guest = await house.guest(name, "world")
        await guest.ask("report", room="world", seq=seq, kind=kind, cid=new_cid())


async def said(window: Window, text: str) -> int:
    """Say it; its seq."""
    await window.says(text)
    row = await window.sees(text)
    return int(await row.get_attribute("data-seq") or 0)


def line(window: Window, title: str) -> Locator:
    """A room's line on the board."""
    named = window.page.get_by_role("link", name=title, exact=True)
    return window.page.locator("watch-table tbody tr").filter(has=named)


async def test_three_reports_hide_a_message_and_of_two_moderators_one_has_it(
    house: House, opens: Opens
) -> None:
    await appointed(house, "chiara")
    moira, other = await opens("moira", "/moderation"), await opens("chiara", QUEUE)
    ana = await opens("ana", WORLD)
    await ana.is_live()
    text = words()
    seq = await said(ana, text)
    await expect(line(moira, "World").locator(".count-of-hour")).not_to_have_text("0")
    await reports(house, seq, "patient_identifiable", ["ben", "denis", "ana"])
    await expect(ana.page.locator(f'.row[data-seq="{seq}"]')).to_contain_text("Pending")
    await expect(line(moira, "World")).to_contain_text("3 urgent")
    await expect(line(moira, "World")).to_contain_text("1 hidden, to look at")
    # By keyboard: from the room's line to its reports, and the first of them is hers.
    await line(moira, "World").get_by_role("link", name="World", exact=True).focus()
    await moira.page.keyboard.press("r")
    report = moira.page.locator("report-queue .report").first
    await expect(report).to_contain_text("Hidden by reports until a moderator has looked")
    await expect(report).not_to_contain_text(text)
    theirs = other.page.locator("report-queue .report").first
    await expect(theirs.get_by_role("button", name="Claim it")).to_be_visible()
    await report.focus()
    await moira.page.keyboard.press("c")
    await expect(report.locator(".evidence")).to_contain_text(text)
    await theirs.get_by_role("button", name="Claim it").click()
    await expect(theirs).to_contain_text("Another moderator has claimed it, until")
    await expect(theirs).not_to_contain_text(text)
    assert "403" in other.troubles.pop()  # as Chromium notes it, too
    await report.get_by_text("What stood around it").click()
    await expect(report.locator(".around .marked")).to_have_count(1)
    await report.get_by_text("Notes among moderators").click()
    await report.get_by_label("A note for other moderators").fill("Seen before")
    await report.get_by_role("button", name="Keep the note").click()
    await expect(report.locator(".report-notes")).to_contain_text("Seen before")
    await report.get_by_role("button", name="Close: upheld").click()
    await expect(moira.page.locator("moderation-board .did")).to_contain_text("is told")
    await expect(moira.page.locator("report-queue .report")).to_have_count(0)
    await expect(ana.page.locator(f'.row[data-seq="{seq}"]')).to_contain_text(
        "Hidden by a moderator"
    )


@pytest.mark.long
async def test_slow_mode_and_freeze_are_set_from_the_board_and_bind_in_the_room(
    opens: Opens,
) -> None:
    moira, ben = await opens("moira", "/moderation"), await opens("ben", WORLD)
    await ben.is_live()
    await line(moira, "World").get_by_role("link", name="World", exact=True).focus()
    await moira.page.keyboard.press("a")
    dialog = moira.page.locator("dialog.acts")
    await dialog.get_by_label("Between two messages").select_option("30 s")
    await expect(dialog.locator(".reads")).to_contain_text("one message every 30 seconds")
    await moira.moderates("slow", "harassment")
    await expect(line(moira, "World")).to_contain_text("Slow: 30 s")
    await expect(ben.page.locator(".room-head")).to_contain_text("one message every 30 seconds")
    await line(moira, "World").get_by_role("button", name="Act in World").click()
    await moira.moderates("freeze", "harassment")
    await expect(line(moira, "World")).to_contain_text("Frozen: reading only")
    await expect(ben.page.locator("message-composer")).to_contain_text("You can still read")
    for act in ("thaw", "slow"):
        await line(moira, "World").get_by_role("button", name="Act in World").click()
        if act == "slow":
            await dialog.get_by_label("Between two messages").select_option("No wait")
        await moira.moderates(act, "harassment" if act == "slow" else None)
    await expect(line(moira, "World").locator(".of-mode")).to_be_empty()
    await ben.says(words())


@pytest.mark.long
async def test_a_rule_is_tried_on_the_last_week_and_then_holds_a_text_until_it_is_read(
    house: House, opens: Opens
) -> None:
    ana, moira = await house.guest("ana", "world"), await opens("moira", "/moderation#rules")
    unheard = f"stethoscope{letters()}"
    await ana.say("world", f"Buy my {unheard} now")
    page = moira.page
    await page.get_by_role("button", name="A new rule").click()
    form = page.locator(".rule-form")
    await form.get_by_label("What moderators call it").fill("No shops")
    await form.get_by_label("Pattern", exact=True).fill(f"buy my {unheard}")
    await form.get_by_label("What its author reads").fill("Shops wait for a moderator.")
    await form.get_by_role("radio", name="Hold").check()
    await form.get_by_role("button", name="Try it on the last week").click()
    await expect(form.locator(".samples")).to_contain_text(f"Buy my {unheard} now")
    await expect(form.locator(".trial-rooms")).to_contain_text("World: 1")
    await form.get_by_role("button", name="Keep the rule").click()
    await expect(page.locator("rule-list .report")).to_contain_text("Shops wait for a moderator.")
    held = f"Please buy my {unheard}, colleagues"
    refused = await ana.refused("say", room="world", text=held, cid=new_cid())
    assert refused["code"] == "held_rule"
    await page.get_by_role("link", name="Held texts").click()
    card = page.locator("held-list .report")
    await expect(card).to_contain_text("No shops")
    await expect(card).not_to_contain_text(unheard)
    await card.get_by_role("button", name="Claim and read it").click()
    await expect(card).to_contain_text(held)
    await card.get_by_role("button", name="Post it").click()
    await ana.hears("event", room="world", kind="say", text=held)
    await expect(page.locator("held-list .report")).to_have_count(0)
    await page.get_by_role("link", name="Rules").click()
    remove = page.locator("rule-list .report .danger")
    await remove.click()
    await remove.click()
    await expect(page.locator("rule-list .report")).to_have_count(0)


@pytest.mark.long
async def test_a_message_is_hidden_in_its_room_and_shown_again_by_its_menu(opens: Opens) -> None:
    ana, moira = await opens("ana", WORLD), await opens("moira", WORLD)
    await ana.is_live()
    text = words()
    seq = await said(ana, text)
    await moira.chooses(await moira.sees(text), "moderate")
    dialog = moira.page.locator("dialog.acts")
    await dialog.get_by_label("Harassment").check()
    await expect(dialog.locator(".reads")).to_contain_text("Hidden by a moderator: harassment")
    await moira.moderates("hide", "harassment")
    for window in (ana, moira):
        row = window.page.locator(f'.row[data-seq="{seq}"]')
        await expect(row).to_contain_text("Hidden by a moderator: harassment")
    await moira.chooses(moira.page.locator(f'.row[data-seq="{seq}"]'), "moderate")
    await dialog.get_by_role("button", name="Read what it says").click()
    await expect(dialog.locator(".hidden-words")).to_contain_text(text)
    await moira.moderates("restore")
    for window in (ana, moira):
        await window.sees(text)


@pytest.mark.long
async def test_an_author_appeals_and_the_other_moderator_takes_it_back(
    house: House, opens: Opens
) -> None:
    ana = await house.guest("ana", "world")
    text = words()
    seq = (await ana.say("world", text))["seq"]
    await house.moderate("hide", "world", seq, reason="harassment")
    why = "It was meant for nobody"
    await ana.ask("appeal", room="world", seq=seq, text=why, cid=new_cid())
    moira = await opens("moira", QUEUE)
    appeal = moira.page.locator("report-queue section .report", has_text=why)
    await expect(appeal).to_contain_text("Against a hidden message")
    await appeal.get_by_role("button", name="Claim it").click()
    await expect(appeal).to_contain_text(text)
    await appeal.get_by_role("button", name="Take it back").click()
    await ana.hears("event", room="world", kind="mod.restore", target=seq)
    await expect(appeal).to_have_count(0)


@pytest.mark.long
async def test_what_its_author_says_is_not_a_patient_is_listed_for_moderators(
    house: House, opens: Opens
) -> None:
    ana = await house.guest("ana", "world")
    text = f"As Dr. Bernadette Okonkwo wrote: {words()}"
    await ana.say("world", text, not_patient=True)
    moira = await opens("moira", "/moderation#waived")
    await expect(moira.page.locator("waived-list .report", has_text=text)).to_contain_text("Name")


@pytest.mark.long
async def test_the_order_of_rooms_stands_still_under_a_focus(house: House, opens: Opens) -> None:
    heart, moira = "specialty/cardiology", await opens("moira", "/moderation")
    rows = moira.page.locator("watch-table tbody tr")
    await rows.nth(1).wait_for()
    first = await rows.first.locator("a").inner_text()
    await rows.first.locator("a").focus()
    ana, ben = await house.guest("ana", heart), await house.guest("ana-colleague", heart)
    seq = (await ana.say(heart, words()))["seq"]
    await ben.ask("report", room=heart, seq=seq, kind="dangerous_advice", cid=new_cid())
    await expect(line(moira, "Cardiology")).to_contain_text("1 urgent")
    await expect(rows.first.locator("a")).to_have_text(first)
    await moira.page.get_by_label("Only rooms named").focus()
    await expect(rows.first.locator("a")).to_have_text("Cardiology")


@pytest.mark.long
async def test_a_moderator_goes_on_duty_and_off(opens: Opens) -> None:
    moira = await opens("moira", "/moderation#rooms")
    duty = moira.page.locator("duty-switch")
    await duty.get_by_label("For").select_option("2 hours")
    await duty.get_by_role("button", name="Go on duty").click()
    await expect(duty).to_contain_text("On duty until")
    await moira.goes("/moderation")
    await duty.get_by_role("button", name="Go off duty").click()
    await expect(duty).to_contain_text("You are not on duty")


@pytest.mark.long
@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_on_the_moderators_pages(
    house: House, opens: Opens, look: dict[str, Any]
) -> None:
    ana = await house.guest("ana", "world")
    seq = (await ana.say("world", words()))["seq"]
    await reports(house, seq, "harassment", ["ben"])
    moira = await opens("moira", "/moderation", **look)
    page = moira.page
    await page.locator("watch-table tbody tr").first.wait_for()
    await page.locator("#field-board-filter").fill("World")  # axe reads what is there to be seen
    await flawless(moira)
    await moira.goes(QUEUE)
    await page.locator('report-queue [data-do="claim"]').first.click()
    await expect(page.locator("moderation-board .did")).to_contain_text("yours")
    await expect(page.locator("[aria-busy]")).to_have_count(0)  # what is busy is faint
    await flawless(moira)
    await page.locator('[data-do="act"]').first.click()
    await page.locator('dialog.acts input[value="purge"]').check()
    await flawless(moira)


@pytest.mark.long
@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_where_texts_sanctions_and_rules_are_seen_to(
    opens: Opens, look: dict[str, Any]
) -> None:
    moira = await opens("moira", "/moderation", **look)
    page = moira.page
    for part in ("texts", "sanctions", "waived", "rules"):
        await moira.goes(f"/moderation#{part}")
        await page.locator(f'.parts [aria-current][href$="{part}"]').wait_for()
        await flawless(moira)
    await page.locator("rule-list .choices button").last.click()
    await page.locator(".rule-form").wait_for()
    await flawless(moira)
