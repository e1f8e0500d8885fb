"""In a case: opinions that nobody sees too early, corrections that nobody misses, and its end; and polls."""

from __future__ import annotations

import re
import secrets
from typing import Any

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import Opens
from tests.browser.test_everyone import PHONE, PHONE_LOOK, WIDE_FIRST, flawless
from tests.browser.window import Window
from tests.support import letters

OTHERS = {
    "ben": ("Pulmonary embolism", "Pericarditis"),
    "chiara": ("Myocarditis", "pulmonary  embolism"),
    "denis": ("Pericarditis", "Myocarditis", "Pleurisy"),
    "moira": ("Pulmonary embolism",),
}


async def does(window: Window, op: str, **fields: Any) -> dict[str, Any]:
    """One command of hers over HTTP; its answer."""
    command = {"op": op, "ref": 1, "cid": secrets.token_hex(8), **fields}
    answer = await window.context.request.post(
        f"{window.url}/api/commands", data=command, headers={"origin": window.url}
    )
    told: dict[str, Any] = await answer.json()
    assert told["op"] == "ok", told
    return told


async def opened(window: Window, **case: Any) -> str:
    """A case of hers with a question of its own; gives its room."""
    question = f"Anticoagulate before the scan? {letters()}"
    given = {"question": question, "specialties": ["cardiology"], "enough": 5, **case}
    room: str = (await does(window, "consult", **given))["consult"]
    return room


async def gives(window: Window, *ranked: str, why: str = "") -> None:
    """Commit an opinion by the form, in whatever language she reads it."""
    page = window.page
    await page.locator("button.opine").click()
    for rank, name in enumerate(ranked, 1):
        await page.locator(f"#field-rank-{rank}").fill(name)
    await page.locator("#field-why").fill(why)
    await page.locator("dialog.opine [type=submit]").click()
    await expect(page.locator(".own-ballot")).to_contain_text(ranked[0])


async def votes_by_wire(opens: Opens, room: str, *names: str) -> list[Window]:
    """These doctors look at the case; each has committed an opinion."""
    windows = []
    for name in names:
        window = await opens(name)
        await does(window, "opine", room=room, ranked=list(OTHERS[name]))
        windows.append(window)
    return windows


def pool(window: Window) -> Locator:
    return window.page.locator("consult-pool")


async def test_five_doctors_answer_blind_and_the_case_goes_on_to_its_outcome(opens: Opens) -> None:
    ana = await opens("ana", **PHONE)
    room = await opened(ana, decision="Heparin now or after", age="40-59", sex="female")
    await ana.enters(room)
    case = ana.page.locator("consult-case")
    await expect(case.locator("dl")).to_contain_text("40 to 59")
    await gives(ana, "Pulmonary embolism", "Myocarditis", why="Desaturates when she walks.")
    others = {name: await opens(name, f"/rooms/{room}") for name in OTHERS}
    for name, window in others.items():
        await window.is_live()
        assert "Desaturates" not in await window.page.content()
        await expect(window.page.locator("consult-pool")).to_have_count(0)
        await gives(window, *OTHERS[name])
    for window in (ana, *others.values()):
        first = pool(window).locator(".bars > li").first
        await expect(first).to_contain_text("Pulmonary embolism")
        await expect(first).to_contain_text(re.compile(r"(weight 3\.5|poids 3,5) · \D* 3 \w+ 5"))
    await expect(pool(ana)).to_contain_text("5 opinions, unsealed")
    await expect(pool(others["denis"])).to_contain_text("5 avis, dévoilés")
    await expect(pool(others["chiara"]).locator(".own .place").first).to_have_text(
        "You put it second"
    )
    await others["ben"].says("I would start heparin: Wells 6.")
    helpful = await ana.sees("I would start heparin: Wells 6.")
    await expect(helpful.locator(".licence")).to_have_text(
        "Licence: United States; not shown for Canada, the asker’s country"
    )
    await ana.page.get_by_role("button", name="Close: what I did").click()
    await ana.page.get_by_label("What I did").fill("Heparin, then the scan: bilateral emboli.")
    await ana.page.locator(".helped").tap()
    await ana.page.get_by_role("button", name="Close the case").click()
    ending = others["ben"].page.locator("consult-end").first
    await expect(ending).to_contain_text("Heparin, then the scan: bilateral emboli.")
    await expect(ending.locator(".quote")).to_contain_text("Wells 6")
    await ana.page.get_by_role("button", name="Add the outcome").click()
    await ana.page.get_by_label("The outcome").fill("Home on day four.")
    await ana.page.get_by_role("button", name="Tell it").click()
    await expect(others["denis"].page.locator("consult-end").last).to_contain_text("Home on day")
    await ana.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await ana.page.get_by_role("button", name="Copy summary").click()
    await expect(ana.page.locator("consult-bar .said")).to_contain_text("The summary is copied")
    summary = await ana.page.evaluate("navigator.clipboard.readText()")
    assert "bilateral emboli" in summary
    assert "Home on day four." in summary
    for window in (others["ben"], ana):
        row = window.page.locator(".rows .row.say", has_text="Wells 6.")
        await window.chooses(row, "receipt")
        if window is ana:
            async with window.page.expect_download() as saved:
                await window.page.get_by_role("button", name="I agree").click()
            assert (await saved.value).suggested_filename == "lounge-receipt.json"
        else:
            await window.page.get_by_role("button", name="I agree").click()
            await expect(window.page.locator("consult-bar .said")).to_contain_text("You agreed.")
    name = await helpful.first.locator(".name").first.inner_text()
    assert name not in summary


@pytest.mark.long
async def test_who_opened_a_case_of_now_reads_each_opinion_while_the_others_stay_blind(
    opens: Opens,
) -> None:
    ana = await opens("ana")
    room = await opened(ana, urgency="now")
    await ana.enters(room)
    await expect(ana.page.get_by_role("button", name="Unseal now")).to_be_visible()
    await expect(ana.page.get_by_role("button", name="Give your opinion")).to_have_count(0)
    ben, chiara = await opens("ben", f"/rooms/{room}"), await opens("chiara", f"/rooms/{room}")
    await chiara.is_live()
    await gives(ben, "Tamponade", why="Pulsus paradoxus; echo at once.")
    early = ana.page.locator(".consult-panel .early")
    await expect(early).to_contain_text("Tamponade")
    await expect(early).to_contain_text("Only you read them before the close")
    await expect(early).to_contain_text("United States; not shown for Canada")
    assert "Tamponade" not in await chiara.page.content()
    await chiara.page.get_by_role("button", name="Warn").click()
    await chiara.says("No thrombolysis before the echo.")
    warned = await ana.sees("No thrombolysis before the echo.")
    await expect(warned.locator(".sort")).to_have_text("Safety warning: do this first")
    await flawless(ana)
    await ana.page.get_by_role("button", name="Unseal now").click()
    await ana.page.get_by_role("button", name="Unseal", exact=True).click()
    await expect(pool(chiara)).to_contain_text("Too few to weigh")
    await expect(pool(chiara)).to_contain_text("Tamponade")


@pytest.mark.long
async def test_what_was_corrected_or_withdrawn_stays_struck_through_until_it_is_acknowledged(
    opens: Opens,
) -> None:
    ana = await opens("ana")
    room = await opened(ana)
    await ana.enters(room)
    ben = await opens("ben", f"/rooms/{room}")
    await ben.is_live()
    await ben.page.get_by_role("button", name="Warn").click()
    await ben.says("Enoxaparin 1 mg/kg twice a day first.")
    row = await ana.sees("Enoxaparin 1 mg/kg")
    await does(ana, "read", room=room, seq=int(await row.get_attribute("data-seq") or 0))
    await ben.presses_on(await ben.sees("Enoxaparin 1 mg/kg"), "e")
    await ben.sends("Enoxaparin 1 mg/kg once a day first: clearance 25.")
    row = await ana.sees("clearance 25")
    await expect(row.locator("del")).to_have_text("Enoxaparin 1 mg/kg twice a day first.")
    await expect(ana.page.locator(".changes")).to_contain_text("1 answer changed")
    await ana.enters(room)
    await expect(ana.page.locator(".changes")).to_contain_text("1 answer changed")
    await flawless(ana)
    row = await ana.sees("clearance 25")
    await row.get_by_role("button", name="I have seen it").click()
    await expect(ana.page.locator(".changes")).to_be_hidden()
    await ben.chooses(await ben.sees("clearance 25"), "redact")
    await ben.agrees()
    await expect(row.locator(".text del")).to_contain_text("clearance 25")
    await expect(row).to_contain_text("Withdrawn by its author")
    await expect(ana.page.locator(".changes")).to_be_visible()


@pytest.mark.long
async def test_two_spellings_are_joined_by_the_author_for_everyone(opens: Opens) -> None:
    ana = await opens("ana")
    room = await opened(ana, enough=3)
    await ana.enters(room)
    ben, _, _ = await votes_by_wire(opens, room, "ben", "chiara", "denis")
    await ben.enters(room)
    await pool(ana).get_by_role("button", name="Two spellings of one? Join them").click()
    dialog = ana.page.locator("dialog.merge")
    for name in ("Pericarditis", "Myocarditis"):
        await dialog.get_by_role("checkbox", name=name).check()
    await dialog.get_by_label("Called").select_option("Myocarditis")
    await flawless(ana)
    await dialog.get_by_role("button", name="Join").click()
    await expect(pool(ben).locator(".bars b").first).to_have_text("Myocarditis")
    await expect(pool(ben)).not_to_contain_text("Pericarditis")


@pytest.mark.long
async def test_a_poll_shows_its_bars_to_who_has_voted_and_to_all_at_the_close(opens: Opens) -> None:
    ana, ben = await opens("ana", "/rooms/world"), await opens("ben", "/rooms/world")
    await ben.is_live()
    page, question = ana.page, f"Which anticoagulant first? {letters()}"
    await page.get_by_role("button", name="Ask a poll").click()
    await page.get_by_label("The question").fill(question)
    for n, choice in enumerate(("Heparin", "Apixaban", "Wait"), 1):
        await page.get_by_label(f"Choice {n}").fill(choice)
    await page.get_by_role("button", name="Ask", exact=True).click()
    asked, seen = (each.page.locator("poll-card", has_text=question) for each in (ana, ben))
    await expect(seen.locator(".bars")).to_have_count(0)
    await seen.get_by_role("radio", name="Apixaban").check()
    await seen.get_by_role("button", name="Vote").click()
    await expect(seen.locator(".bars .own")).to_contain_text("Apixaban")
    await expect(seen.locator(".bars .own")).to_contain_text("1 vote · 100%")
    await expect(asked.locator(".bars")).to_have_count(0)
    await seen.get_by_role("button", name="Change my vote").click()
    await seen.get_by_role("radio", name="Wait").check()
    await seen.get_by_role("button", name="Vote anew").click()
    await expect(seen.locator(".bars .own")).to_contain_text("Wait")
    await asked.get_by_role("button", name="Close the poll").click()
    await expect(asked.locator(".bars li").last).to_contain_text("1 vote · 100%")
    await expect(asked).to_contain_text("1 doctor has voted · closed")
    await flawless(ben)


@pytest.mark.long
@pytest.mark.parametrize("look", WIDE_FIRST)
async def test_axe_finds_nothing_in_a_case(opens: Opens, look: dict[str, Any]) -> None:
    author = await opens("ana")
    room = await opened(author, enough=3, presentation="Sudden dyspnoea", urgency="today")
    window = await opens("moira", f"/rooms/{room}", **look)
    await window.is_live()
    await window.page.locator("button.opine").click()
    await window.page.locator("#field-rank-1").fill("Embolism")
    await flawless(window)
    await window.page.keyboard.press("Escape")
    await window.page.locator("button.opine").click()
    await expect(window.page.locator("#field-rank-1")).to_have_value("Embolism")
    await window.page.keyboard.press("Escape")
    await window.page.locator(".say-warning").click()
    await flawless(window)
    await does(author, "say", room=room, text="She is on apixaban.")
    await votes_by_wire(opens, room, "ben", "chiara", "denis")
    await pool(window).locator(".bars").wait_for()
    await flawless(window)
    await does(author, "decide", room=room, did="Scanned first: no embolus.")
    await window.page.locator("consult-end").wait_for()
    await flawless(window)
    poll = {"question": "And next time?", "choices": ["Scan first", "Treat first"]}
    await does(author, "poll", room=room, **poll)
    await window.page.locator("poll-card").wait_for()
    await window.page.locator("message-composer .quiet[title]").first.click()
    await window.page.locator("dialog.poll-form").wait_for()
    await flawless(window)


@pytest.mark.long
async def test_a_case_loses_nothing_sideways_on_the_smallest_phone(opens: Opens) -> None:
    window = await opens("denis", **PHONE_LOOK)
    room = await opened(window, findings="Troponin 40 then 42, D-dimer 3.1", urgency="now")
    await window.enters(room)
    await window.page.locator("consult-bar .choices button").first.wait_for()
    await window.page.evaluate("document.documentElement.dataset.size = '200'")
    assert await window.page.evaluate("document.documentElement.scrollWidth") <= 360
