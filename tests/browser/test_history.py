"""Reading back: upwards without losing one's place, to a certain entry, and down again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Opens
from tests.support import House, open_house

ROOM = "specialty/cardiology"
SAID = 420
PLACE = """() => {
  const top = document.querySelector('.scroller').getBoundingClientRect().top;
  const rows = [...document.querySelectorAll('.rows .row')];
  const row = rows.find((one) => one.getBoundingClientRect().bottom > top);
  return [row.dataset.seq, Math.round(row.getBoundingClientRect().top - top)];
}"""


PLACE_AT_REST = f"""async () => {{
  const place = {PLACE};
  for (let [before, same] = ['', 0]; same < 20;) {{
    await new Promise(requestAnimationFrame);
    const now = JSON.stringify(place());
    [before, same] = [now, now === before ? same + 1 : 0];
  }}
  return place();
}}"""
"""Once what was scrolled to has its height: rows out of sight have a guessed one."""


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> AsyncIterator[House]:
    """A lounge with one long room; `bench` lifts the limits that would make filling it slow."""
    folder: Path = tmp_path_factory.mktemp("house")
    async with open_house(folder, redis_url, demo=True, bench=True) as house:
        guests = [await house.guest(name, ROOM) for name in ("ben", "chiara")]
        for n in range(1, SAID + 1):
            cid = f"history-{n:016}"
            text = f"entry number {n:03} of a long evening"
            await guests[0].send("say", room=ROOM, cid=cid, text=text)
        await guests[1].reaches(ROOM, SAID)
        yield house


async def test_history_loads_upwards_and_the_reader_keeps_the_place(opens: Opens) -> None:
    ana = await opens("ana", f"/rooms/{ROOM}")
    await ana.is_live()
    await ana.page.evaluate("document.querySelector('message-log').toEnd()")
    before = await ana.seqs()
    await ana.page.locator(".scroller").evaluate("scroller => { scroller.scrollTop = 400 }")
    place = await ana.page.evaluate(PLACE)
    await expect(ana.page.locator(f'.row[data-seq="{before[0] - 30}"]')).to_have_count(1)
    seq, offset = await ana.page.evaluate(PLACE)
    assert seq == place[0]
    assert abs(offset - place[1]) <= 2


@pytest.mark.long
async def test_the_whole_room_can_be_read_to_its_beginning_in_few_rows(opens: Opens) -> None:
    ana = await opens("ana", f"/rooms/{ROOM}")
    await ana.is_live()
    rows = ana.page.locator(".rows .row")
    first = rows.first
    for _ in range(40):
        if await first.get_attribute("data-seq") == "1":
            break
        seq = await first.get_attribute("data-seq")
        await ana.page.locator(".scroller").evaluate("scroller => { scroller.scrollTop = 0 }")
        await expect(first).not_to_have_attribute("data-seq", seq or "")
    await expect(ana.page.locator(".log-top")).to_have_text("This is where the room begins.")
    assert await rows.count() <= 300
    seqs = await ana.seqs()
    assert seqs == list(range(1, seqs[-1] + 1))
    await ana.page.locator(".jump").click()
    await ana.sees(f"entry number {SAID} of a long evening")
    await expect(ana.page.locator(".jump")).to_be_hidden()


async def test_an_address_leads_to_an_entry_with_its_surroundings(opens: Opens) -> None:
    ana = await opens("ana", f"/rooms/{ROOM}#123")
    row = ana.page.locator('.row[data-seq="123"]')
    await expect(row).to_be_focused()
    await expect(row).to_be_in_viewport()
    await expect(row).to_have_class(re.compile("landed"))
    seqs = await ana.seqs()
    assert {121, 122, 124, 125} <= set(seqs)
    assert seqs == list(range(seqs[0], seqs[-1] + 1))


@pytest.mark.long
async def test_a_quote_leads_back_across_what_was_never_loaded(house: House, opens: Opens) -> None:
    ben = await house.guest("ben", ROOM)
    await ben.say(ROOM, "an answer to something long ago", reply_to=17)
    ana = await opens("ana", f"/rooms/{ROOM}")
    await ana.is_live()
    quote = (await ana.sees("an answer to something long ago")).locator(".quote")
    await expect(quote).to_contain_text("entry number 017 of a long evening")
    await quote.click()
    await expect(ana.page.locator('.row[data-seq="17"]')).to_be_focused()
    assert {15, 16, 18, 19} <= set(await ana.seqs())


@pytest.mark.long
async def test_one_reads_down_again_from_an_old_entry_to_the_newest(opens: Opens) -> None:
    ana = await opens("ana", f"/rooms/{ROOM}#100")
    await expect(ana.page.locator('.row[data-seq="100"]')).to_be_focused()
    last = ana.page.locator(".rows .row").last
    for _ in range(40):
        seq = await last.get_attribute("data-seq") or ""
        if int(seq) >= SAID:
            break
        bottom = "scroller => { scroller.scrollTop = scroller.scrollHeight }"
        await ana.page.locator(".scroller").evaluate(bottom)
        await expect(last).not_to_have_attribute("data-seq", seq)
    seqs = await ana.seqs()
    assert seqs == list(range(seqs[0], seqs[-1] + 1))
    assert len(seqs) <= 300


async def test_what_comes_while_one_reads_back_is_counted_and_moves_nothing(
    house: House, opens: Opens
) -> None:
    ana = await opens("ana", f"/rooms/{ROOM}")
    await ana.is_live()
    await ana.page.evaluate("document.querySelector('message-log').toEnd()")
    await ana.page.locator(".scroller").evaluate("scroller => { scroller.scrollTop -= 900 }")
    await expect(ana.page.locator(".jump")).to_be_visible()
    place = await ana.page.evaluate(PLACE_AT_REST)
    ben = await house.guest("ben", ROOM)
    for n in range(3):
        await ben.say(ROOM, f"while reading back, {n}")
    await expect(ana.page.locator(".jump")).to_have_text("3 new messages")
    assert await ana.page.evaluate(PLACE) == place


async def test_a_line_shows_what_is_new_since_one_left(house: House, opens: Opens) -> None:
    ana = await opens("ana", "/rooms/world")
    await ana.is_live()
    await ana.says("then I left")
    await ana.listed("country/ca").click()
    await ana.is_live()
    ben = await house.guest("ben", "world")
    await ben.say("world", "said while ana was elsewhere")
    await expect(ana.listed("world").locator(".unread")).not_to_have_text("")
    await ana.listed("world").click()
    await ana.sees("said while ana was elsewhere")
    below = ana.page.locator(".fresh + .row")
    await expect(below).to_contain_text("said while ana was elsewhere")


@pytest.mark.long
async def test_days_are_told_apart(opens: Opens) -> None:
    ana = await opens("ana", f"/rooms/{ROOM}#1")
    await expect(ana.page.locator(".rows > .day").first).to_have_text("Today")
