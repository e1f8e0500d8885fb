"""`python -m tests.bench.page`: what a doctor's first room, a long scroll and typing cost in Chromium.

Each figure stands beside its budget; nothing is asserted, for a busy machine moves them all.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright

from tests import chromium
from tests.browser.window import Window, options
from tests.support import Guest, House, new_cid, open_house
from web.valkey import EmbeddedValkey

ROOM = "specialty/cardiology"
MESSAGES = 10_000
FLOOD = 150
TEXT = (
    "of a long evening, with some more words so that a line is filled, and perhaps another one too"
)
_WATCH = """
new PerformanceObserver((list) => {
  for (const each of list.getEntries()) (window.long ??= []).push(Math.round(each.duration));
}).observe({ type: 'longtask', buffered: true });
new MutationObserver((_, watch) => {
  if (!document.querySelector('.row')) return;
  window.firstRow = performance.now();
  watch.disconnect();
}).observe(document, { childList: true, subtree: true });
"""
_BYTES = """performance.getEntriesByType('resource')
  .filter((each) => /\\.(js|css)$/.test(each.name) && each.startTime < window.firstRow)
  .reduce((sum, each) => sum + each.decodedBodySize, 0)"""
_SCROLL = """async () => {
  const scroller = document.querySelector('.scroller');
  const first = () => document.querySelector('.row').dataset.seq;
  for (let still = 0; still < 100 && !(first() === '1' && scroller.scrollTop === 0); ) {
    scroller.scrollTop -= 1500;
    await new Promise((done) => requestAnimationFrame(done));
    still = scroller.scrollTop === 0 ? still + 1 : 0;
    if (still) await new Promise((done) => setTimeout(done, 20));
  }
  return Number(first());
}"""
_TYPING = """document.querySelector('#write').addEventListener('keydown', () => {
  const start = performance.now();
  const note = () => (window.typed ??= []).push(performance.now() - start);
  requestAnimationFrame(() => setTimeout(note));
})"""


async def main() -> int:
    """Fill a room, look at it as a doctor would, print the figures."""
    path = chromium.found()
    if path is None:
        print("No Chromium: `python -m tests.chromium` gets one.", file=sys.stderr)
        return 1
    valkey = EmbeddedValkey()
    await valkey.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            async with open_house(Path(folder), valkey.url, demo=True, bench=True) as house:
                await _measure(house, path)
    finally:
        await valkey.stop()
    return 0


async def _measure(house: House, program: Path) -> None:
    print(f"Filling a room with {MESSAGES:,} messages …", flush=True)
    speaker = await house.guest("ben", ROOM)
    await _fill(speaker)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**chromium.launch(program))
        page = await (await browser.new_context(**options())).new_page()
        await page.add_init_script(_WATCH)
        window = Window(page, house.url)
        await window.signs_in("ana", f"/rooms/{ROOM}")
        await window.is_live()
        _print("first room readable, cold", await page.evaluate("window.firstRow"), "ms", "1,000")
        size = await page.evaluate(_BYTES)
        _print("script and style before it, uncompressed", size, "bytes", "100,000")
        await _scroll(page)
        await _type(page, speaker)
        await browser.close()


async def _fill(speaker: Guest) -> None:
    for start in range(0, MESSAGES, 200):
        says = [
            await speaker.send("say", room=ROOM, cid=new_cid(), text=f"{start + n} {TEXT}")
            for n in range(200)
        ]
        for ref in says:
            await speaker.answer(ref)
        speaker.frames.clear()
        speaker.events.clear()


async def _scroll(page: Page) -> None:
    await page.evaluate("window.long = []")
    reached = await page.evaluate(_SCROLL)
    long: list[int] = await page.evaluate("window.long")
    _print(
        f"longest task while scrolling up to message {reached}", max(long, default=0), "ms", "50"
    )
    await page.evaluate("document.querySelector('message-log').toEnd()")


async def _type(page: Page, speaker: Guest) -> None:
    await page.evaluate(_TYPING)
    await page.focus("#write")
    quiet = await _typed(page)
    flood = asyncio.create_task(_flood(speaker))
    loud = await _typed(page)
    await flood
    _print("a key shown, quiet room, median", quiet, "ms", "–")
    _print("a key shown, 50 messages a second, median", loud, "ms", "as quiet")


async def _typed(page: Page) -> float:
    await page.evaluate("window.typed = []")
    await page.keyboard.type("typing while others talk, is it smooth?", delay=40)
    taken: list[float] = sorted(await page.evaluate("window.typed"))
    return taken[len(taken) // 2]


async def _flood(speaker: Guest) -> None:
    for n in range(FLOOD):
        await speaker.send("say", room=ROOM, cid=new_cid(), text=f"flood {n}")
        await asyncio.sleep(0.02)


def _print(what: str, value: Any, unit: str, budget: str) -> None:
    print(f"{what:<52}{round(value):>10,} {unit:<6} budget {budget}", flush=True)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
