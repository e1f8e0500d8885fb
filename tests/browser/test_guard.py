"""S4, and what a doctor sees of moderation: marks while she writes, hidden rows, cautions, modes, appeals."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import Opens
from tests.browser.test_everyone import LOOKS, flawless
from tests.browser.window import Window
from tests.support import House, new_cid

WORLD = "/rooms/world"
CANADA = "/rooms/country/ca"
ROYS = "Mme Tremblay, née le 3 mars 1931, RAMQ TREM 3153 0312, OG dilatée, LA 44 mm, MS, Parkinson"
LONG = pytest.mark.long


def marks(window: Window) -> Locator:
    """What is marked under the words in the composer."""
    return window.page.locator("message-composer .mirror mark")


def verdict(window: Window) -> Locator:
    """The composer's box of reasons."""
    return window.page.locator("message-composer .verdict")


async def moderates(house: House, room: str, act: str, **other: Any) -> None:
    """A moderator acts from elsewhere."""
    async with house.http(await house.token("moira")) as http:
        asked = {"act": act, "cid": new_cid(), **other}
        answer = await http.post(f"/api/rooms/{room}/moderate", json=asked)
        assert answer.status_code == 200, answer.text


async def seq_of(row: Locator) -> int:
    return int(str(await row.get_attribute("data-seq")))


async def reported(house: House, room: str, seq: int, kind: str, *notes: str) -> None:
    """So many doctors report it, one after the other."""
    for n, note in enumerate(notes):
        reporter = await house.guest(f"{kind}-{n}", room)
        await reporter.ask("report", room=room, seq=seq, cid=new_cid(), kind=kind, note=note)


# -- while she writes ----------------------------------------------------------------------------


async def test_what_leads_to_a_patient_is_marked_while_it_is_written_and_replaced_by_one_press(
    opens: Opens,
) -> None:
    ana, ben = await opens("ana", WORLD), await opens("ben", WORLD)
    await ben.is_live()
    await ana.field.click()
    await ana.page.keyboard.type(ROYS)
    await expect(marks(ana)).to_have_text(["Tremblay", "3 mars 1931", "TREM 3153 0312"])
    await expect(verdict(ana)).to_contain_text("This cannot be sent")
    await expect(verdict(ana).locator("li")).to_have_count(3)
    await expect(ana.field).to_have_attribute("aria-invalid", "true")
    await ana.field.press("Enter")
    await expect(verdict(ana)).to_contain_text("Held, not sent.")
    await expect(ana.field).to_have_value(ROYS)
    await verdict(ana).get_by_role("button", name="Replace all").click()
    await expect(verdict(ana)).to_be_hidden()
    await expect(ana.field).to_be_focused()
    await ana.field.press("Enter")
    await ben.sees("OG dilatée, LA 44 mm, MS, Parkinson")
    await expect(ben.stored("Tremblay")).to_have_count(0)


async def test_a_soft_mark_is_waived_by_her_word_and_a_new_one_asks_again(opens: Opens) -> None:
    ana = await opens("ana", WORLD)
    await ana.is_live()
    await ana.field.click()
    await ana.page.keyboard.type("The trial began on 3 March 2024")
    await expect(verdict(ana)).to_contain_text("Could this point to a patient?")
    await verdict(ana).get_by_role("button", name="This is not a patient").click()
    await expect(verdict(ana)).to_contain_text("By your word this is not a patient.")
    await expect(ana.field).not_to_have_attribute("aria-invalid", "true")
    await ana.page.keyboard.type(" and ended on 5 June 2025")
    await expect(verdict(ana)).to_contain_text("Could this point to a patient?")
    await ana.field.press("Enter")
    await expect(verdict(ana)).to_contain_text("Held, not sent.")
    await verdict(ana).get_by_role("button", name="This is not a patient: send it").click()
    await ana.sees("and ended on 5 June 2025")
    await expect(ana.field).to_have_value("")


@LONG
async def test_where_names_are_not_known_the_composer_says_so(opens: Opens) -> None:
    ana = await opens("ana", WORLD)
    await ana.is_live()
    await ana.writes("Die Patientin klagt seit gestern über starke Schmerzen im Bauch und Fieber")
    aside = ana.page.locator("message-composer .unchecked")
    await expect(aside).to_contain_text("Names are not checked in this language.")
    await ana.writes("The patient has had severe pain since yesterday, and a fever")
    await expect(aside).to_be_empty()


@LONG
async def test_a_correction_is_held_in_its_own_place(opens: Opens) -> None:
    ana = await opens("ana", WORLD)
    await ana.is_live()
    await ana.says("Seen in spring, discharged after a week")
    await ana.field.press("ArrowUp")
    await ana.sends("Seen on 3 March 2024, discharged after a week")
    await expect(verdict(ana)).to_contain_text("Held, not sent.")
    await expect(ana.field).to_have_value("Seen on 3 March 2024, discharged after a week")
    await verdict(ana).get_by_role("button", name="This is not a patient").click()
    row = await ana.sees("Seen on 3 March 2024, discharged after a week")
    await expect(row.locator(".edited")).to_have_text("edited")


@LONG
async def test_the_fields_of_a_case_and_a_poll_are_marked_while_they_are_written(
    opens: Opens,
) -> None:
    ana = await opens("ana", "/case")
    question = ana.page.get_by_label("What do you want to know?")
    await question.fill("Mrs Tremblay, born on 3 March 1931: which dose?")
    field = ana.page.locator(".labelled", has=question)
    await expect(field.locator(".verdict li").first).to_be_visible()
    await field.get_by_role("button", name="Replace all").click()
    await expect(field.locator(".verdict")).to_be_hidden()
    await ana.enters("world")
    await ana.page.get_by_role("button", name="Ask a poll").click()
    await ana.page.get_by_label("Choice 1").fill("call 514 555 0199")
    await expect(ana.page.locator(".poll-choices .verdict mark")).to_have_text("514 555 0199")


# -- what others and moderators do ---------------------------------------------------------------


@LONG
async def test_three_reports_hide_it_for_all_and_its_author_sees_pending(
    opens: Opens, house: House
) -> None:
    ana, ben = await opens("ana", CANADA), await opens("ben", CANADA)
    await ben.is_live()
    await ana.says("The patient is the mayor of our town")
    row = await ben.sees("The patient is the mayor of our town")
    seq = await seq_of(row)
    await reported(house, "country/ca", seq, "patient_identifiable", "known", "clear", "named")
    for window, said in ((ana, "Pending: a moderator looks at it"), (ben, "Hidden for now")):
        hidden = window.page.locator(f'.row[data-seq="{seq}"]')
        await expect(hidden).to_contain_text(said)
        await expect(window.stored("the mayor of our town")).to_have_count(0)
    await moderates(house, "country/ca", "restore", seq=seq, reason="other")
    await ana.sees("The patient is the mayor of our town")
    await ben.sees("The patient is the mayor of our town")


@LONG
async def test_dangerous_advice_stays_with_a_caution_and_the_reasons(
    opens: Opens, house: House
) -> None:
    ana = await opens("ana", CANADA)
    await ana.is_live()
    await ana.says("Give ten times the dose")
    row = await ana.sees("Give ten times the dose")
    notes = ("Ten times kills.", "The most is 4 g a day.", "Never.")
    await reported(house, "country/ca", await seq_of(row), "dangerous_advice", *notes)
    caution = row.locator("caution-note")
    await expect(caution).to_contain_text("Disputed by 3 doctors.")
    await caution.locator("summary").click()
    await expect(caution.locator("li")).to_have_text(list(notes))


@LONG
async def test_slow_frozen_and_open_again_are_seen_with_the_wait_and_the_reason(
    opens: Opens, house: House
) -> None:
    ana = await opens("ana", "/rooms/specialty/cardiology")
    await ana.is_live()
    await ana.says("First things first")
    await moderates(house, "specialty/cardiology", "slow", seconds=600, reason="harassment")
    log = ana.page.locator(".rows")
    await expect(log).to_contain_text("slow mode: one message every 600 seconds. Reason: harass")
    await expect(ana.page.locator("message-composer .slow")).to_contain_text("goes out in")
    await ana.sends("Second thing")
    await expect(ana.unsent("Second thing")).to_contain_text("It will be tried again by itself")
    await moderates(house, "specialty/cardiology", "freeze", reason="harassment")
    await expect(ana.field).to_be_disabled()
    await expect(ana.page.locator("message-composer .plain")).to_contain_text("You can still read")
    await moderates(house, "specialty/cardiology", "freeze", on=False, reason="other")
    await moderates(house, "specialty/cardiology", "slow", seconds=0, reason="other")
    await expect(ana.field).to_be_enabled()
    await expect(log).to_contain_text("This room is open for writing again")


@LONG
async def test_what_is_pinned_stands_over_the_log_and_leads_there(
    opens: Opens, house: House
) -> None:
    ana = await opens("ana", "/rooms/specialty/neurology")
    await ana.is_live()
    await ana.says("The protocol of this week")
    seq = await seq_of(await ana.sees("The protocol of this week"))
    await moderates(house, "specialty/neurology", "pin", seq=seq)
    pins = ana.page.locator("pin-list")
    await expect(pins).to_contain_text("The protocol of this week")
    await ana.page.reload()
    await pins.locator("a").click()
    await expect(ana.page.locator(f'.row[data-seq="{seq}"]')).to_be_focused()
    await moderates(house, "specialty/neurology", "pin", seq=seq, on=False)
    await expect(pins).to_be_hidden()


@LONG
async def test_who_is_warned_hidden_and_removed_reads_why_and_may_appeal(
    opens: Opens, house: House
) -> None:
    chiara = await opens("chiara", CANADA)
    await chiara.is_live()
    await chiara.says("You are all fools")
    seq = await seq_of(await chiara.sees("You are all fools"))
    said = {"seq": seq, "reason": "harassment"}
    await moderates(house, "country/ca", "warn", **said, note="Argue about the case.")
    await moderates(house, "country/ca", "hide", **said)
    row = chiara.page.locator(f'.row[data-seq="{seq}"]')
    await expect(row).to_contain_text("Hidden by a moderator: harassment")
    await expect(row.get_by_role("button", name="Ask another moderator")).to_be_visible()
    await moderates(house, "country/ca", "remove", **said, minutes=60)
    await expect(chiara.page.locator(".refusal")).to_contain_text("removed you from this room")
    await chiara.enters("me")
    warned = chiara.page.locator(".notice-card", has_text="warns you")
    await expect(warned.locator("blockquote")).to_have_text("Argue about the case.")
    hidden = chiara.page.locator(".notice-card", has_text="A moderator hid a message")
    await hidden.get_by_role("button", name="Ask another moderator").click()
    form = chiara.page.locator("dialog.report-form")
    await form.get_by_label("Why should it be looked at again?").fill("I meant myself.")
    await form.get_by_role("button", name="Send").click()
    await expect(form).to_be_hidden()
    notice = chiara.page.locator(".room-notice")
    await expect(notice).to_contain_text("A moderator other than the one who decided")


# -- for everyone --------------------------------------------------------------------------------


@LONG
@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_in_what_moderation_shows(
    opens: Opens, house: House, look: dict[str, Any]
) -> None:
    window = await opens("denis", "/rooms/specialty/family-medicine", **look)
    page, room = window.page, "specialty/family-medicine"
    await window.is_live()
    for text in ("à épingler", "dix fois la dose", "à masquer"):
        await window.writes(text)
        await page.locator("message-composer .primary").click()
        await window.stored(text).last.wait_for()
    pinned, disputed, hidden = [
        await seq_of(window.stored(text).last)
        for text in ("à épingler", "dix fois la dose", "à masquer")
    ]
    await moderates(house, room, "pin", seq=pinned)
    await reported(house, room, disputed, "dangerous_advice", "trop", "mortel", "jamais")
    await moderates(house, room, "hide", seq=hidden, reason="advertising")
    await moderates(house, room, "slow", seconds=30, reason="advertising")
    await page.locator("caution-note summary").last.click()
    await page.locator("house-line").last.wait_for()
    await flawless(window)
    for text in (ROYS, "vu le 3 mars 2024"):
        await window.writes(text)
        await verdict(window).locator("li").first.wait_for()
        await flawless(window)
    await verdict(window).locator(".waive").click()
    await flawless(window)
    await moderates(house, room, "freeze", reason="advertising")
    await expect(window.field).to_be_disabled()
    await flawless(window)
    await page.locator("house-line button").last.click()
    await page.locator("dialog.report-form").wait_for()
    await flawless(window)
    await moderates(house, room, "freeze", on=False, reason="other")
    await moderates(house, room, "slow", seconds=0, reason="other")
